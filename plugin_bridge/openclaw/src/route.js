// Which agent answers an event, and in which of its sessions. One session per person who writes
// directly, per channel and per thread: never the shared main session, in which one colleague would
// read what another has told the agent.

import { createHash } from "node:crypto";

import { ACCOUNT, CHANNEL, parentOf, parseConversation, personOf, sessionPeer } from "./addresses.js";

const DM_SCOPE = "per-account-channel-peer";

/**
 * @returns {{agentId: string, dmScope: string, sessionKey: string, peer: {kind: string, id: string},
 *   person: string}}
 */
export function routeOfEvent({ routing, cfg, account, event }) {
  const { conversation, sender } = event;
  const person = personOf(conversation.platform, conversation.workspace, sender.id);
  const peer = peerOf(conversation, person);
  const found = routing.resolveAgentRoute({ cfg, channel: CHANNEL, accountId: ACCOUNT, peer });
  const agentId = agentOf(cfg, account, event.agent) ?? found.agentId;
  return { agentId, ...sessionOf({ routing, cfg, agentId, peer, thread: conversation.thread }), peer, person };
}

/** The session in which a message to a target belongs, or null: nobody knows yet whose it is. */
export function routeOfTarget({ routing, cfg, agentId, target, met }) {
  const { conversation: id, to } = target;
  if (to) {
    const kind = to.user ? "direct" : "channel";
    const peer = { kind, id: personOf(to.platform, to.workspace, to.user ?? to.channel) };
    return { ...sessionOf({ routing, cfg, agentId, peer, thread: null }), peer };
  }
  const parsed = parseConversation(id);
  if (parsed === null) return null;
  const known = met(id) ?? met(parentOf(parsed)) ?? { kind: "channel" };
  const peer = peerOf({ ...parsed, kind: known.kind }, known.person ?? parentOf(parsed));
  return { ...sessionOf({ routing, cfg, agentId, peer, thread: parsed.thread }), peer, threadId: parsed.thread };
}

function peerOf(conversation, person) {
  if (conversation.kind === "direct") return { kind: "direct", id: person };
  return { kind: conversation.kind, id: parentOf(conversation) };
}

function sessionOf({ routing, cfg, agentId, peer, thread }) {
  const base = routing.buildAgentSessionKey({
    agentId,
    channel: CHANNEL,
    accountId: ACCOUNT,
    peer: { kind: peer.kind, id: sessionPeer(peer.id) },
    dmScope: DM_SCOPE,
    identityLinks: cfg.session?.identityLinks,
  });
  const sessionKey = thread ? `${base}:thread:${threadPart(thread)}` : base;
  return { dmScope: DM_SCOPE, sessionKey, baseSessionKey: base };
}

function threadPart(thread) {
  const part = encodeURIComponent(thread).toLowerCase();
  if (part === thread) return part;
  return `${part}:${createHash("sha256").update(thread).digest("hex").slice(0, 12)}`;
}

/**
 * The agent that the gateway chose, when it is one of ours. `main` is what the gateway says when it
 * has no choice: then `agentId` of the configuration decides, and OpenClaw's own bindings without one.
 */
function agentOf(cfg, account, wanted) {
  const own = (cfg.agents?.list ?? []).map(({ id }) => id);
  return [wanted, account.agentId].find((id) => id !== "main" && own.includes(id));
}
