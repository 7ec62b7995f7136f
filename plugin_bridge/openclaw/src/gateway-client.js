// Calls of the agent protocol (docs/agent-protocol.md). Every write has an idempotency key, so what
// is tried again is never said twice: that is why a lost answer may simply be asked for again.

import { readFileSync } from "node:fs";

export const PROTOCOL = 1;
export const VERSION = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version;

// OpenClaw's own recovery of a send comes after 5 s at the earliest, and may come after minutes.
const TIMEOUT_MS = 20_000;
const FILE_TIMEOUT_MS = 120_000;
const AGENT = `openclaw-aegis/${VERSION} protocol/${PROTOCOL}`;
const RETRY_MS = [200, 500, 1_000, 2_000, 4_000];
const MOST_RETRY_AFTER_MS = 5_000;

/** The gateway said no, for good. `code` is stable, `field` names what is wrong, if it is one thing. */
export class Refused extends Error {
  constructor(status, { code = "", message = "", field } = {}) {
    super(`gateway: ${status} ${code}: ${message}${field ? ` (${field})` : ""}`);
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

/** Not now: worth another try with the same key. */
export class Unavailable extends Error {}

export class Gateway {
  /** @param {{url: string, key: string, pauses?: number[]}} where `pauses`: ms between tries */
  constructor({ url, key, pauses = RETRY_MS }) {
    this.url = url;
    this.authorization = `Bearer ${key}`;
    this.pauses = pauses;
  }

  send(message, key) {
    return this.ask("POST", "/v1/messages", { json: message, key });
  }

  status(id) {
    return this.ask("GET", path("messages", id));
  }

  edit(id, content, key) {
    return this.ask("PATCH", path("messages", id), { json: content, key });
  }

  remove(id, key) {
    return this.ask("DELETE", path("messages", id), { key });
  }

  react(id, emoji, conversation, key, { remove = false } = {}) {
    const target = path("messages", id, "reactions");
    if (!remove) return this.ask("POST", target, { json: { emoji, conversation }, key });
    const query = new URLSearchParams({ emoji, ...(conversation && { conversation }) });
    return this.ask("DELETE", `${target}?${query}`, { key });
  }

  /** A lease: best effort, and never tried again, for by then it would say what is no longer so. */
  typing(conversation, forS) {
    return this.ask("POST", "/v1/typing", { json: { conversation, for_s: forS }, tries: 1 });
  }

  openStream(conversation, recipient, key) {
    return this.ask("POST", "/v1/streams", { json: { conversation, recipient }, key, tries: 1 });
  }

  appendStream(id, text) {
    return this.ask("POST", path("streams", id, "append"), { json: { text }, tries: 1 });
  }

  finishStream(id, content, key) {
    return this.ask("POST", path("streams", id, "finish"), { json: content, key });
  }

  abortStream(id) {
    return this.ask("POST", path("streams", id, "abort"), { json: {}, key: `abort-${id}` });
  }

  upload(name, bytes, type, key) {
    const target = `/v1/files?${new URLSearchParams({ name })}`;
    return this.ask("POST", target, { bytes, type, key, timeoutMs: FILE_TIMEOUT_MS });
  }

  /** Fetch an attachment: `{bytes, type}`. Throws Refused, also when it is larger than `mostBytes`. */
  download(id, mostBytes) {
    const read = async (response) => ({
      bytes: await bounded(response, mostBytes),
      type: response.headers.get("content-type") ?? undefined,
    });
    return this.ask("GET", path("files", id), { timeoutMs: FILE_TIMEOUT_MS, read });
  }

  capabilities() {
    return this.ask("GET", "/v1/capabilities");
  }

  /** The version of the agent protocol that the gateway speaks. */
  async protocol() {
    const described = await this.ask("GET", "/openapi.json", { tries: 2 });
    return Number.parseInt(described?.info?.version, 10);
  }

  /** Make one call, tried again while that may help. Throws Refused, Unavailable. */
  async ask(verb, target, { tries = this.pauses.length + 1, ...options } = {}) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(verb, target, options);
      } catch (error) {
        if (!(error instanceof Unavailable) || attempt >= tries) throw error;
        const pauseMs = error.afterMs ?? this.pauses[attempt - 1];
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  async #once(verb, target, { json, bytes, type, key, read = asJson, timeoutMs = TIMEOUT_MS }) {
    const headers = { authorization: this.authorization, "user-agent": AGENT };
    if (key) headers["idempotency-key"] = key;
    if (json !== undefined) headers["content-type"] = "application/json";
    if (bytes !== undefined) headers["content-type"] = type || "application/octet-stream";
    const body = json === undefined ? bytes : JSON.stringify(json);
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      // A redirect would carry the key to whoever it names.
      const response = await fetch(`${this.url}${target}`, { method: verb, headers, body, redirect: "error", signal });
      if (!response.ok) throw await refusalOf(response);
      return await read(response);
    } catch (error) {
      if (error instanceof Refused || error instanceof Unavailable) throw error;
      throw new Unavailable(`gateway: no answer: ${error.cause?.code ?? error.name}`, { cause: error });
    }
  }
}

/** What may stand in the header Idempotency-Key. */
export function asKey(text) {
  return text.replace(/[^!-~]/g, "_").slice(0, 255);
}

async function asJson(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : {};
}

async function refusalOf(response) {
  const said = await response.json().catch(() => ({}));
  const refused = new Refused(response.status, said?.error);
  if (response.status !== 408 && response.status !== 429 && response.status < 500) return refused;
  const unavailable = new Unavailable(refused.message, { cause: refused });
  const afterS = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  if (afterS >= 0) unavailable.afterMs = Math.min(afterS * 1000, MOST_RETRY_AFTER_MS);
  return unavailable;
}

async function bounded(response, mostBytes) {
  const pieces = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.length;
    // Leaving the loop ends the connection: an endless file must not fill the memory.
    if (size > mostBytes) throw new Refused(413, { code: "file_too_large", message: "over mediaMaxMb" });
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function path(...parts) {
  return `/v1/${parts.map(encodeURIComponent).join("/")}`;
}
