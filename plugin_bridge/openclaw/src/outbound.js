// OpenClaw's outbound side: finals of its outbox, follow-ups, recovered answers, cron, hooks and the
// message tool all come here with an address and nothing else.

import { defineChannelMessageAdapter } from "openclaw/plugin-sdk/channel-outbound";
import { chunkMarkdownTextWithMode } from "openclaw/plugin-sdk/reply-chunking";

import { CHANNEL, normalizedTarget, parseTarget } from "./addresses.js";
import { partsOf, sendParts, withComponents } from "./payloads.js";
import { CAPABILITIES, capabilitiesOf } from "./presentation.js";
import { fingerprintOf, receiptOf } from "./sending.js";

// The agent protocol takes 40,000 characters; the gateway splits for its platforms.
const TEXT_LIMIT = 39_000;

export function messageAdapter(rooms) {
  const adapter = (ctx, parts) => sendParts(rooms.of(ctx.cfg), ctx, parts);
  return defineChannelMessageAdapter({
    id: CHANNEL,
    durableFinal: {
      capabilities: {
        text: true, media: true, payload: true, replyTo: true, thread: true, messageSendingHooks: true, reconcileUnknownSend: true,
      },
      automaticUnknownSendReconciliation: true,
      reconcileUnknownSendKinds: { text: true, media: false, payload: false },
      reconcileUnknownSend: (ctx) => reconciled(rooms.of(ctx.cfg), ctx),
    },
    send: {
      text: (ctx) => adapter(ctx, { text: ctx.text, components: [], mediaUrls: [] }),
      media: (ctx) => adapter(ctx, { text: ctx.text, components: [], mediaUrls: [ctx.mediaUrl] }),
      payload: (ctx) => adapter(ctx, partsOf({ ...ctx.payload, text: ctx.text ?? ctx.payload.text })),
    },
  });
}

export function outboundAdapter(rooms) {
  const adapter = (ctx, parts) => sendParts(rooms.of(ctx.cfg), ctx, parts);
  return {
    // "gateway" would be one process for all sends, but OpenClaw flattens buttons on that way.
    deliveryMode: "direct",
    textChunkLimit: TEXT_LIMIT,
    chunker: (text, limit) => chunkMarkdownTextWithMode(text, limit, "newline"),
    chunkerMode: "markdown",
    presentationCapabilities: CAPABILITIES,
    resolvePresentationCapabilities: ({ cfg }) => capabilitiesOf(rooms.of(cfg).limits),
    renderPresentation: ({ payload, presentation, ctx }) => withComponents(payload, presentation, rooms.of(ctx.cfg).store),
    resolveTarget: ({ to }) => resolved(to),
    sendText: (ctx) => adapter(ctx, { text: ctx.text, components: [], mediaUrls: [] }),
    sendMedia: (ctx) => adapter(ctx, { text: ctx.text, components: [], mediaUrls: [ctx.mediaUrl].filter(Boolean) }),
    sendPayload: (ctx) => adapter(ctx, partsOf({ ...ctx.payload, text: ctx.text ?? ctx.payload.text })),
  };
}

function resolved(to) {
  const target = normalizedTarget(to);
  if (target !== undefined) return { ok: true, to: target };
  try {
    parseTarget(to);
  } catch (error) {
    return { ok: false, error };
  }
  return { ok: false, error: new Error("target: is missing") };
}

/**
 * What became of a send whose process died over it. What the gateway has taken is on record here or
 * under the same key there, so a fresh send is safe whenever nothing is on record.
 */
async function reconciled({ store, gateway }, ctx) {
  const target = parseTarget(ctx.to, ctx.threadId);
  const replyToId = ctx.effectiveReplyToId ?? ctx.replyToId;
  const payload = ctx.payloads.length === 1 ? ctx.payloads[0] : undefined;
  const fingerprint = fingerprintOf({ replyToId }, target, { text: payload?.text ?? "" });
  const id = store.sent(fingerprint, ctx.enqueuedAt);
  if (id === undefined) return { status: "not_sent" };
  try {
    const { status } = await gateway.status(id);
    if (status === "failed") return { status: "not_sent" };
    return { status: "sent", ...receiptOf({ ...ctx, replyToId }, target, id, "text") };
  } catch (error) {
    return { status: "unresolved", error: error.message, retryable: true };
  }
}
