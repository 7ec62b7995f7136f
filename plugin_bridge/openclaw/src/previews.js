// Answers that people see grow, as streams of the gateway. A preview is best effort: it may be lost
// at any moment, the answer that ends it may not.

import { asKey } from "./gateway-client.js";

const GAP_MS = 200;
// The gateway ends a stream of which it hears nothing for two minutes; tools take longer.
const ALIVE_MS = 45_000;
const MOST_CHARS = 39_000;

/** The previews of turns under way, by what they answer. */
export class Previews {
  #open = new Map();

  /** Make the preview of a turn. Nothing is shown until there is something to show. */
  begin({ conversation, messageId, ...more }) {
    const key = `${conversation}\n${messageId}`;
    const preview = new Preview({ conversation, messageId, ...more, ended: () => this.#open.delete(key) });
    this.#open.set(key, preview);
    return preview;
  }

  /** Put it back for another try to end it. */
  keep(preview) {
    this.#open.set(`${preview.conversation}\n${preview.messageId}`, preview);
  }

  /** The preview that the answer to `messageId` ends, if there is one. It is ended once. */
  take(conversation, messageId) {
    const key = `${conversation}\n${messageId}`;
    const preview = this.#open.get(key);
    this.#open.delete(key);
    return preview;
  }
}

export class Preview {
  #text = "";
  #shown = "";
  #stream = null;
  #closed = false;
  #work = null;
  #alive = null;

  constructor({ gateway, store, conversation, messageId, recipient, ended, log }) {
    Object.assign(this, { gateway, store, conversation, messageId, recipient, ended, log });
  }

  /** Show the whole text so far. Returns at once: what is newer replaces what waits. */
  show(text) {
    if (this.#closed || !text?.trim() || text.length > MOST_CHARS) return;
    this.#text = text;
    this.#work ??= this.#flush().finally(() => (this.#work = null));
  }

  /** Show no more. Gives the stream's id, or null when nothing was shown. */
  async close() {
    this.#closed = true;
    clearInterval(this.#alive);
    await this.#work;
    return this.#stream;
  }

  /** Take back what was shown, unless an answer has taken the preview over. */
  async abort() {
    this.ended();
    if (this.#closed) return;
    const stream = await this.close();
    if (stream !== null) await abortStream(this.gateway, this.store, stream, this.log);
  }

  async #flush() {
    try {
      while (!this.#closed && this.#shown !== this.#text) {
        if (this.#stream === null) await this.#begin();
        const text = this.#text;
        await this.gateway.appendStream(this.#stream, text);
        this.#shown = text;
        await new Promise((resolve) => setTimeout(resolve, GAP_MS));
      }
    } catch (error) {
      // Without a preview the answer comes all the same.
      this.log.debug?.(`a preview was not shown: ${error.message}`);
    }
  }

  async #begin() {
    const { id } = await this.gateway.openStream(this.conversation, this.recipient, asKey(`stream-${this.messageId}`));
    this.store.streamOpened(id);
    this.#stream = id;
    this.#alive = setInterval(() => {
      this.gateway.appendStream(id, this.#shown).catch(() => {});
    }, ALIVE_MS).unref();
  }
}

/** Remove a preview. One that is gone already is as good. */
export async function abortStream(gateway, store, stream, log) {
  try {
    await gateway.abortStream(stream);
  } catch (error) {
    log.debug?.(`a preview was not removed: ${error.message}`);
  }
  store.streamEnded(stream);
}
