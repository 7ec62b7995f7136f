// One turn: the facts that OpenClaw is given, and what becomes of its answers.

import { ACCOUNT, CHANNEL, targetOf } from "./addresses.js";
import { partsOf, sendParts } from "./payloads.js";

const TYPING_S = 10;

/** Run a turn to its end. Rejects when OpenClaw could not run it. */
export async function runTurn({ runtime, cfg, room, route, event, meaning, access, files, log }) {
  const { inbound } = runtime.channel;
  const text = [meaning.text, ...files.missing].filter(Boolean).join("\n");
  const replies = repliesOf({ room, event, meaning, log });
  try {
    await inbound.run({
      channel: CHANNEL,
      accountId: ACCOUNT,
      raw: event,
      adapter: {
        ingest: () => ({
          id: meaning.messageId, timestamp: timeOf(event), rawText: text, textForAgent: text, textForCommands: text, raw: event,
        }),
        resolveTurn: () => ({
          cfg,
          channel: CHANNEL,
          accountId: ACCOUNT,
          route: { agentId: route.agentId, dmScope: route.dmScope, sessionKey: route.sessionKey },
          ctxPayload: inbound.buildContext(contextOf({ event, meaning, route, access, text, media: files.media })),
          messageId: meaning.messageId,
          record: { onRecordError: (error) => log.warn(`a session was not recorded: ${error}`) },
          ...replies.plan,
        }),
      },
    });
  } finally {
    await replies.end();
  }
}

function contextOf({ event, meaning, route, access, text, media }) {
  const { conversation, sender } = event;
  const to = targetOf(conversation.id);
  const label = conversation.kind === "direct" ? (sender.name ?? sender.id) : `${conversation.platform} ${conversation.channel}`;
  return {
    channel: CHANNEL,
    accountId: ACCOUNT,
    channelIngress: access.ingress,
    messageId: meaning.messageId,
    timestamp: timeOf(event),
    from: `${CHANNEL}:${route.peer.id}`,
    sender: { id: route.person, name: sender.name ?? undefined, roles: sender.roles, isBot: sender.is_bot },
    conversation: { kind: conversation.kind, id: route.peer.id, label, threadId: conversation.thread ?? undefined },
    route: {
      agentId: route.agentId,
      dmScope: route.dmScope,
      accountId: ACCOUNT,
      routeSessionKey: route.sessionKey,
      dispatchSessionKey: route.sessionKey,
    },
    reply: { to, originatingTo: to, messageThreadId: conversation.thread ?? undefined },
    message: { rawBody: text, commandBody: text, bodyForAgent: text, inboundHistory: historyOf(event) },
    media,
    access: {
      commands: { authorized: mayCommand(event) },
      mentions: { canDetectMention: true, wasMentioned: event.mentioned === true },
    },
    extra: { CommandAuthorized: mayCommand(event) },
  };
}

/** Whose commands OpenClaw obeys is the tenant's rule at the gateway; the stop button is anybody's. */
function mayCommand(event) {
  return event.type === "agent.stopped" || event.sender.may_command === true;
}

function historyOf(event) {
  return (event.history ?? []).map(({ message_id: messageId, sender, text, sent_at: sentAt }) => ({
    messageId,
    sender: sender.is_self ? "you" : (sender.name ?? sender.id),
    body: text,
    timestamp: sentAt ? Date.parse(sentAt) : undefined,
  }));
}

function timeOf(event) {
  return Date.parse(event.sent_at ?? event.received_at) || Date.now();
}

/** How the answers of one turn travel, and what has to end with it. */
function repliesOf({ room, event, meaning, log }) {
  const { account, gateway } = room;
  const conversation = event.conversation.id;
  const address = { to: targetOf(conversation), replyToId: meaning.messageId };
  const preview = account.streaming
    ? room.previews.begin({ gateway, store: room.store, conversation, messageId: meaning.messageId, recipient: event.sender.id, log })
    : null;
  const typing = (forS) => gateway.typing(conversation, forS).then(() => {}, (error) => log.debug?.(`typing: ${error.message}`));
  const plan = {
    delivery: {
      // Through OpenClaw's outbox: without it one failed request is one lost answer.
      durable: () => ({ ...address }),
      deliver: async (payload) => sendParts(room, { ...address, ...(payload.replyToId && { replyToId: payload.replyToId }) }, partsOf(payload)),
      preparePayload: (payload) => (payload.isError && account.hideErrors ? null : payload),
      onError: (error, info) => log.error(`an answer (${info.kind}) was not sent: ${error}`),
    },
    replyPipeline: {
      typing: { start: () => typing(TYPING_S), stop: () => typing(0), onStartError: () => {} },
    },
    replyOptions: {
      disableBlockStreaming: true,
      ...(preview && { onPartialReply: ({ text }) => preview.show(text) }),
    },
  };
  return { plan, end: async () => preview?.abort() };
}
