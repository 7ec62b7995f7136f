// Addresses: what the gateway calls a conversation, what OpenClaw calls a target, a peer, a session.
// Pure. An id is never read back from a session key: OpenClaw lower-cases those, platforms do not.

import { createHash } from "node:crypto";

export const CHANNEL = "aegis";
export const ACCOUNT = "default";

const PART = /^[^:\s]+$/;

/** The target says nothing that the gateway could find. The message names the forms that it knows. */
export class TargetError extends Error {}

/**
 * Split `platform:workspace:channel[:thread]`, percent-encoded parts; null when it is none.
 * @returns {{platform: string, workspace: string, channel: string, thread: string | null, id: string} | null}
 */
export function parseConversation(id) {
  const parts = String(id).split(":");
  if (parts.length < 3 || parts.length > 4 || !parts.every((part) => PART.test(part))) return null;
  const [platform, workspace, channel, thread] = parts.map(decoded);
  if ([platform, workspace, channel, thread].includes(null)) return null;
  return { platform, workspace, channel, thread: thread ?? null, id: String(id) };
}

/** How OpenClaw addresses a conversation: `conversation:` is a kind that belongs to no channel, a
 * bare `slack:...` would be refused as the target of another plugin where that one is installed. */
export function targetOf(conversationId) {
  return `conversation:${conversationId}`;
}

/**
 * Read a target into what POST /v1/messages wants: `{conversation}` or `{to}`. Throws TargetError.
 *
 * Forms: a conversation id, with or without `conversation:`; `user:platform:workspace:user`;
 * `channel:platform:workspace:channel`, where the channel is an id or a `#name`.
 */
export function parseTarget(raw, threadId) {
  const text = String(raw ?? "").trim().replace(/^aegis:/i, "");
  const [, kind = "conversation", rest = text] = /^(conversation|user|channel):(.*)$/i.exec(text) ?? [];
  const parts = rest.split(":");
  if (kind.toLowerCase() !== "conversation" && parts.length === 3) {
    const [platform, workspace, name] = parts.map(decoded);
    if (platform && workspace && name) return { to: { platform, workspace, [kind.toLowerCase()]: name } };
  }
  const conversation = parseConversation(rest);
  if (conversation === null || kind.toLowerCase() === "user") {
    throw new TargetError(
      "target: use conversation:<platform>:<workspace>:<channel>[:<thread>], " +
        "user:<platform>:<workspace>:<user> or channel:<platform>:<workspace>:<channel or #name>",
    );
  }
  const thread = conversation.thread === null && threadId != null ? `:${encodeURIComponent(threadId)}` : "";
  return { conversation: conversation.id + thread };
}

/** The platform of what parseTarget gives. */
export function platformOf({ conversation, to }) {
  return to?.platform ?? parseConversation(conversation).platform;
}

/** Tell whether a text is a target of ours, without a throw. */
export function isTarget(raw) {
  try {
    parseTarget(raw);
    return true;
  } catch {
    return false;
  }
}

/** The target in the one form in which it is kept and compared; undefined when it is none. */
export function normalizedTarget(raw) {
  const text = String(raw ?? "").trim().replace(/^aegis:/i, "");
  if (!isTarget(text)) return undefined;
  const kind = /^(conversation|user|channel):(.*)$/i.exec(text);
  return kind === null ? targetOf(text) : `${kind[1].toLowerCase()}:${kind[2]}`;
}

/** Who somebody is to allow-lists: `platform:workspace:user`. */
export function personOf(platform, workspace, user) {
  return [platform, workspace, user].map(encodeURIComponent).join(":");
}

/**
 * The peer of a session for `platform:workspace:id`. OpenClaw lower-cases session keys, so an id in
 * which case matters gets a mark of its own: two people whose ids differ by it must not share a
 * session. Slack's and Discord's ids hold no small letters and stay as people know them.
 */
export function sessionPeer(id) {
  const own = id.slice(id.indexOf(":"));
  if (!/[a-z]/.test(own)) return id;
  return `${id}:${createHash("sha256").update(id).digest("hex").slice(0, 12)}`;
}

/** The conversation without its thread. */
export function parentOf(conversation) {
  const parts = [conversation.platform, conversation.workspace, conversation.channel];
  return parts.map(encoded).join(":");
}

// As the gateway encodes them: Python's `quote(part, safe="")`.
function encoded(part) {
  return encodeURIComponent(part).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
