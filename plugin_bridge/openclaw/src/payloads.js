// OpenClaw's payloads to sends: text, buttons and files of one payload are one message, or as many as
// their files need.

import { basename } from "node:path";

import { loadOutboundMediaFromUrl } from "openclaw/plugin-sdk/outbound-media";

import { CHANNEL } from "./addresses.js";
import { rendered } from "./presentation.js";
import { send } from "./sending.js";

const MOST_FILES = 10;

/** @returns {{text: string, components: object[], mediaUrls: string[]}} */
export function partsOf(payload) {
  const mediaUrls = payload.mediaUrls?.length ? payload.mediaUrls : [payload.mediaUrl];
  return {
    text: payload.text ?? "",
    components: payload.channelData?.[CHANNEL]?.components ?? [],
    mediaUrls: mediaUrls.filter(Boolean),
  };
}

/** Turn a presentation into what partsOf reads. */
export function withComponents(payload, presentation, store) {
  const { text, components } = rendered(presentation, store);
  const above = payload.presentationTextMode === "fallback" && text ? [] : [payload.text];
  const { presentation: _rendered, ...rest } = payload;
  return {
    ...rest,
    text: [...above, text].filter((each) => each?.trim()).join("\n\n"),
    channelData: { ...payload.channelData, [CHANNEL]: { components } },
  };
}

/** Send them; gives the receipt. Throws as `send` does, and when a file cannot be read. */
export async function sendParts(room, ctx, { text, components, mediaUrls }) {
  const files = [];
  for (const url of mediaUrls.slice(0, MOST_FILES)) files.push(await fileOf(room.account, ctx, url));
  const result = await send(room, ctx, { text, components, files });
  return { ...result, messageIds: [result.messageId], visibleReplySent: true };
}

async function fileOf(account, ctx, url) {
  const { mediaAccess, mediaLocalRoots, mediaReadFile } = ctx;
  const options = { maxBytes: account.mediaMaxBytes, mediaAccess, mediaLocalRoots, mediaReadFile, optimizeImages: false };
  const { buffer, contentType, fileName } = await loadOutboundMediaFromUrl(url, options);
  return { name: fileName || basename(new URL(url, "file:///").pathname) || "file", bytes: buffer, type: contentType };
}
