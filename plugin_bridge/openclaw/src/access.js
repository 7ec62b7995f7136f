// Whether the tenant's own configuration lets somebody in. The gateway has its rules; these are the
// container's. OpenClaw only says what they mean: whoever does not ask lets everybody in.

import { resolveStableChannelMessageIngress } from "openclaw/plugin-sdk/channel-ingress-runtime";

import { ACCOUNT, CHANNEL } from "./addresses.js";

/** @returns {Promise<{allowed: boolean, mayPair: boolean, reason: string, ingress: object}>} */
export async function admitted({ cfg, runtime, room, route, event, meaning }) {
  const { account } = room;
  const resolve = runtime.channel.inbound.ingress?.resolveStable ?? resolveStableChannelMessageIngress;
  const ingress = await resolve({
    channelId: CHANNEL,
    accountId: ACCOUNT,
    cfg,
    // The gateway signed it, and the platform told the gateway.
    identity: { key: "person", entryIdPrefix: "aegis-person", authentication: "asserted", sensitivity: "pii" },
    subject: { stableId: route.person },
    conversation: { kind: event.conversation.kind, id: route.peer.id },
    contextBinding: {
      agentId: route.agentId,
      sessionKey: route.sessionKey,
      messageId: meaning.messageId ?? event.message_id,
      inboundEventKind: "user_request",
    },
    event: { kind: "message", authMode: "inbound", mayPair: meaning.kind === "turn" },
    useDefaultPairingStore: true,
    dmPolicy: account.dmPolicy,
    groupPolicy: account.groupPolicy,
    allowFrom: account.allowFrom,
    groupAllowFrom: account.groupAllowFrom,
  });
  const { allowed, decision, reasonCode } = ingress.senderAccess;
  return { allowed, mayPair: decision === "pairing", reason: reasonCode, ingress };
}
