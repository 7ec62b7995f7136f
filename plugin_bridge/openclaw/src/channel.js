// The channel `aegis`, as OpenClaw sees it.

import { createChannelApprovalAuth } from "openclaw/plugin-sdk/approval-auth-runtime";
import { createChatChannelPlugin } from "openclaw/plugin-sdk/channel-core";

import { probe, startAccount } from "./account.js";
import { actionsAdapter } from "./actions.js";
import { ACCOUNT, CHANNEL, isTarget, normalizedTarget, parseTarget } from "./addresses.js";
import { inspectAccount, problemsOf, resolveAccount } from "./config.js";
import { messageAdapter, outboundAdapter } from "./outbound.js";
import { pairingAdapter } from "./pairing.js";
import { routeOfTarget } from "./route.js";

const HINT = "conversation:<platform>:<workspace>:<channel>[:<thread>], user:<platform>:<workspace>:<user> or channel:<platform>:<workspace>:<channel or #name>";

/** @param {import("./room.js").Rooms} rooms */
export function channelPlugin(rooms) {
  return createChatChannelPlugin({
    base: {
      id: CHANNEL,
      meta: {
        id: CHANNEL,
        label: "Channel Gateway",
        selectionLabel: "Channel Gateway (Slack, Teams, Discord)",
        detailLabel: "Channel Gateway",
        docsPath: "/channels/aegis",
        blurb: "Slack, Microsoft Teams and Discord through a shared gateway.",
        order: 95,
      },
      capabilities: {
        chatTypes: ["direct", "group", "channel", "thread"],
        media: true, threads: true, reactions: true, edit: true, unsend: true, reply: true, blockStreaming: false,
      },
      reload: { configPrefixes: [`channels.${CHANNEL}`] },
      config: configAdapter(),
      setup: { applyAccountConfig: ({ cfg, input }) => withSection(cfg, input) },
      approvalCapability: approvals(),
      messaging: messaging(rooms),
      status: statusAdapter(rooms),
      gateway: { startAccount: (ctx) => startAccount(rooms, ctx) },
      actions: actionsAdapter(rooms),
      message: messageAdapter(rooms),
      agentPrompt: { messageToolHints: () => [`Targets of this channel: ${HINT}. Text is Markdown; mention people as @[user:<id>].`] },
    },
    pairing: pairingAdapter(rooms),
    security: {
      dm: {
        channelKey: CHANNEL,
        resolvePolicy: (account) => account.dmPolicy,
        resolveAllowFrom: (account) => account.allowFrom,
        defaultPolicy: "open",
      },
    },
    // An answer stands where it was asked; quoting is the agent's choice.
    threading: { topLevelReplyToMode: "off" },
    outbound: outboundAdapter(rooms),
  });
}

function configAdapter() {
  return {
    listAccountIds: () => [ACCOUNT],
    defaultAccountId: () => ACCOUNT,
    resolveAccount,
    inspectAccount,
    isEnabled: (account) => account.enabled,
    isConfigured: (account) => problemsOf(account).length === 0,
    unconfiguredReason: (account) => problemsOf(account).join("; "),
    resolveAllowFrom: ({ cfg }) => resolveAccount(cfg).allowFrom,
  };
}

function messaging(rooms) {
  return {
    targetPrefixes: [CHANNEL],
    targetIdComparison: "case-sensitive",
    normalizeTarget: normalizedTarget,
    inferTargetChatType: ({ to }) => chatTypeOf(rooms, to),
    targetResolver: { looksLikeId: isTarget, hint: HINT },
    resolveOutboundSessionRoute: ({ cfg, agentId, target, resolvedTarget, threadId }) => {
      const to = resolvedTarget?.to ?? normalizedTarget(target);
      if (!isTarget(to)) return null;
      const route = routeOfTarget({
        routing: rooms.runtime.channel.routing, cfg, agentId, target: parseTarget(to, threadId), met: (id) => rooms.store.met(id),
      });
      if (route === null) return null;
      const { sessionKey, baseSessionKey, peer, threadId: thread } = route;
      return { sessionKey, baseSessionKey, peer, chatType: peer.kind, from: `${CHANNEL}:${peer.id}`, to, threadId: thread ?? undefined };
    },
  };
}

function chatTypeOf(rooms, to) {
  if (!isTarget(to)) return undefined;
  const target = parseTarget(to);
  if (target.to) return target.to.user ? "direct" : "channel";
  return rooms.store.met(target.conversation)?.kind ?? "channel";
}

function statusAdapter(rooms) {
  return {
    probeAccount: ({ cfg }) => probe(rooms.of(cfg)),
    buildAccountSnapshot: ({ account, runtime, probe: probed }) => ({
      ...runtime, accountId: ACCOUNT, enabled: account.enabled, configured: problemsOf(account).length === 0, probe: probed,
    }),
    buildChannelSummary: ({ account, snapshot }) => ({
      configured: problemsOf(account).length === 0, running: snapshot.running ?? false, gatewayUrl: account.gatewayUrl,
    }),
  };
}

function approvals() {
  return createChannelApprovalAuth({
    channelLabel: "Channel Gateway",
    resolveInputs: ({ cfg }) => ({ allowFrom: resolveAccount(cfg ?? {}).allowFrom.filter((entry) => entry !== "*") }),
    normalizeApprover: (value) => String(value).trim() || undefined,
  }).approvalAuth;
}

function withSection(cfg, input) {
  return { ...cfg, channels: { ...cfg.channels, [CHANNEL]: { ...cfg.channels?.[CHANNEL], ...input } } };
}
