// One send: whatever OpenClaw wants said (an answer, a follow-up, a cron job's words, a file) becomes
// one message of the agent protocol, with a key that stays the same over retries.

import { createHash } from "node:crypto";

import { createMessageReceiptFromOutboundResults } from "openclaw/plugin-sdk/channel-outbound";
import { PlatformMessageNotDispatchedError } from "openclaw/plugin-sdk/error-runtime";

import { CHANNEL, TargetError, parseTarget } from "./addresses.js";
import { Refused, Unavailable } from "./gateway-client.js";
import { isPlatformId } from "./meaning.js";

/**
 * @param {import("./room.js").Room} room
 * @param {{to: string, threadId?: string, replyToId?: string, replyToIdSource?: string}} ctx
 * @param {{text?: string, components?: object[], files?: {name: string, bytes: Buffer, type?: string}[]}} content
 * @returns {Promise<object>} a receipt, whose message id is the gateway's. Throws
 *   PlatformMessageNotDispatchedError, retryable unless the gateway has refused for good
 */
export async function send(room, ctx, { text = "", components = [], files = [] }) {
  try {
    const target = parseTarget(ctx.to, ctx.threadId);
    const fingerprint = fingerprintOf(ctx, target, { text, components, files });
    const { key, ordinal } = room.store.sendKey(fingerprint, { once: ctx.replyToId != null });
    const fileIds = await upload(room.gateway, files);
    // OpenClaw notes that the send begins; without it, it takes its own claim on it for lost.
    await ctx.onPlatformSendDispatch?.();
    ctx.assertDirectAdapterHandoff?.();
    const message = { ...target, text, components, files: fileIds, ...replyOf(ctx) };
    const id = (await endPreview(room, ctx, message, key)) ?? (await sent(room.gateway, message, key));
    room.store.confirmSend(fingerprint, ordinal, id);
    return receiptOf(ctx, target, id, files.length > 0 ? "media" : "text");
  } catch (error) {
    throw notDispatched(error);
  }
}

/** What the same send would be known by: for the question what became of it. */
export function fingerprintOf(ctx, target, { text = "", components = [], files = [] }) {
  const hashed = files.map(({ name, bytes }) => [name, digest(bytes)]);
  return digest(JSON.stringify([target, ctx.replyToId ?? null, text, components, hashed])).slice(0, 40);
}

export function receiptOf(ctx, target, id, kind) {
  const conversationId = target.conversation ?? ctx.to;
  const receipt = createMessageReceiptFromOutboundResults({
    results: [{ channel: CHANNEL, messageId: id, conversationId }],
    kind,
    threadId: ctx.threadId == null ? undefined : String(ctx.threadId),
    replyToId: ctx.replyToId ?? undefined,
  });
  return { channel: CHANNEL, messageId: id, conversationId, receipt };
}

// Each answer names what it answers, which in Slack would put it into a thread: only where the agent
// itself asks for that does it become a reply of the platform's.
function replyOf({ replyToId, replyToIdSource }) {
  return replyToIdSource === "explicit" && isPlatformId(replyToId) ? { reply_to: replyToId } : {};
}

async function upload(gateway, files) {
  const ids = [];
  for (const { name, bytes, type } of files) {
    // The bytes are the key: the gateway keeps them once, however often they are sent.
    const key = `file-${digest(`${name}\0${digest(bytes)}`).slice(0, 40)}`;
    ids.push((await gateway.upload(name, bytes, type, key)).id);
  }
  return ids;
}

/** Let the answer take the place of its preview. Null when there is none that could be ended. */
async function endPreview({ gateway, store, previews }, ctx, message, key) {
  if (!message.conversation || !message.text.trim() || message.files.length > 0) return null;
  const preview = previews.take(message.conversation, ctx.replyToId);
  const stream = preview && (await preview.close());
  if (!stream) return null;
  const content = { text: message.text, components: message.components };
  try {
    await ended(gateway, stream, content, key);
  } catch (error) {
    if (error instanceof Refused) return null;
    // The next try has to end this very stream: what it shows must not stay beside the answer.
    previews.keep(preview);
    throw error;
  }
  store.streamEnded(stream);
  return stream;
}

async function ended(gateway, stream, content, key) {
  try {
    await gateway.finishStream(stream, content, key);
  } catch (error) {
    if (error.code !== "stream_closed") throw error;
    // The gateway has ended it with what it had: the answer takes its place.
    await gateway.edit(stream, content, `${key}-edit`);
  }
}

/** Send it. A key that another request has used ended a preview with these very words. */
async function sent(gateway, message, key) {
  try {
    return (await gateway.send(message, key)).id;
  } catch (error) {
    if (error.code === "idempotency_key_reused") return key;
    throw error;
  }
}

function notDispatched(error) {
  if (error instanceof Unavailable) {
    // It may have arrived, but the key makes a second try harmless.
    return new PlatformMessageNotDispatchedError(error.message, { cause: error });
  }
  if (error instanceof Refused || error instanceof TargetError) {
    return new PlatformMessageNotDispatchedError(error.message, { cause: error, retryable: false });
  }
  return error;
}

function digest(content) {
  return createHash("sha256").update(content).digest("hex");
}
