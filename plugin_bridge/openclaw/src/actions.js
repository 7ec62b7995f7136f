// What the message tool does besides sending: change, remove, react.

import { randomUUID } from "node:crypto";

import { isPresent } from "./config.js";
import { parseTarget } from "./addresses.js";
import { isPlatformId } from "./meaning.js";

const ACTIONS = ["send", "edit", "unsend", "delete", "react"];

export function actionsAdapter(rooms) {
  return {
    describeMessageTool: ({ cfg }) => (isPresent(cfg) ? { actions: ACTIONS, capabilities: ["presentation"] } : null),
    supportsAction: ({ action }) => ACTIONS.includes(action) && action !== "send",
    handleAction: async (ctx) => {
      const { gateway } = rooms.of(ctx.cfg);
      const done = await act(gateway, ctx);
      return { content: [{ type: "text", text: JSON.stringify(done) }], details: done };
    },
  };
}

async function act(gateway, { action, params, toolContext }) {
  const id = text(params.messageId ?? params.message_id) ?? current(toolContext);
  if (!id) throw new Error("messageId: is missing");
  const key = `oc-act-${randomUUID()}`;
  if (action === "edit") {
    const said = text(params.message ?? params.text ?? params.content);
    if (!said) throw new Error("message: is missing");
    return { ok: true, ...(await gateway.edit(id, { text: said }, key)) };
  }
  if (action === "unsend" || action === "delete") return { ok: true, ...(await gateway.remove(id, key)) };
  const emoji = text(params.emoji);
  if (!emoji) throw new Error("emoji: is missing");
  return { ok: true, ...(await gateway.react(id, emoji, conversationOf(id, params, toolContext), key, { remove: params.remove === true })) };
}

/** Where somebody else's message stands. The gateway knows where our own are. */
function conversationOf(id, params, toolContext) {
  if (id.startsWith("msg_")) return undefined;
  const target = params.to ?? params.target ?? toolContext?.currentMessagingTarget ?? toolContext?.currentChannelId;
  return parseTarget(target, toolContext?.currentThreadTs).conversation;
}

function current(toolContext) {
  const id = toolContext?.currentMessageId;
  return isPlatformId(id && String(id)) ? String(id) : undefined;
}

function text(value) {
  return typeof value === "string" && value.trim() ? value.trim() : undefined;
}
