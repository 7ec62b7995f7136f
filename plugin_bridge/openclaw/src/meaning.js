// What an event of the gateway means to OpenClaw: a turn, a command, a note for the next turn, a
// decision, or nothing. Pure.

import { pressed } from "./presentation.js";

const NOTE_CHARS = 200;

/**
 * @param {object} event a delivery, as docs/agent-protocol.md describes it
 * @returns {{kind: "turn", text: string, messageId: string} | {kind: "note", text: string}
 *   | {kind: "approval", approval: object} | {kind: "nothing"}}
 *   `messageId` of a turn names what began it, also to OpenClaw's own check for repeats
 */
export function meaningOf(event, store) {
  switch (event.type) {
    case "message.created":
      return { kind: "turn", text: event.text ?? "", messageId: event.message_id };
    case "command.invoked":
      return turn(event, commandText(event));
    case "agent.stopped":
      return turn(event, "/stop");
    case "action.invoked":
      return ofAction(event, pressed(event.action, store));
    default:
      return noteOf(event);
  }
}

/** Tell whether a message id is the platform's: others say which event began a turn. */
export function isPlatformId(messageId) {
  return Boolean(messageId) && !messageId.startsWith("event:");
}

function ofAction(event, meant) {
  if (meant.kind === "text" || meant.kind === "command") return turn(event, meant.text);
  return meant;
}

// Many of these can be about one message; under its id OpenClaw would take them for repeats.
function turn(event, text) {
  return { kind: "turn", text, messageId: `event:${event.id}` };
}

function commandText({ command, text }) {
  return [`/${command.name.replace(/^\//, "")}`, text ?? ""].join(" ").trim();
}

function noteOf(event) {
  const who = event.sender.name ?? event.sender.id;
  const said = {
    "message.updated": () => `${who} changed message ${event.message_id} to: ${cut(event.text)}`,
    "message.deleted": () => `${who} removed message ${event.message_id}`,
    "reaction.added": () => `${who} reacted with ${event.reaction.emoji} to message ${event.message_id}`,
    "reaction.removed": () => `${who} took ${event.reaction.emoji} off message ${event.message_id}`,
    "member.joined": () => (event.member.is_self ? "You were added to this conversation" : `${who} joined`),
    "member.left": () => (event.member.is_self ? "You were removed from this conversation" : `${who} left`),
  }[event.type];
  // Types that nobody knows yet may come at any time.
  return said === undefined ? { kind: "nothing" } : { kind: "note", text: said() };
}

function cut(text) {
  const characters = [...(text ?? "")];
  return characters.length <= NOTE_CHARS ? characters.join("") : `${characters.slice(0, NOTE_CHARS).join("")}…`;
}
