// OpenClaw's payloads to sends: text, buttons and files of one payload are one message, or as many as
// their files need.

import { basename } from "node:path";

import { loadOutboundMediaFromUrl } from "openclaw/plugin-sdk/outbound-media";

import { CHANNEL, parseTarget, platformOf } from "./addresses.js";
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
  const files = mediaUrls.length > 0 ? await filesOf(room, ctx, mediaUrls.slice(0, MOST_FILES)) : [];
  const result = await send(room, ctx, { text, components, files });
  return { ...result, messageIds: [result.messageId], visibleReplySent: true };
}

async function filesOf({ account, limits }, ctx, urls) {
  const platform = platformOf(parseTarget(ctx.to, ctx.threadId));
  const maxBytes = await limits.fileBytes(platform, account.mediaMaxBytes);
  const files = [];
  for (const url of urls) files.push(await fileOf(ctx, url, maxBytes));
  return files;
}

async function fileOf(ctx, url, maxBytes) {
  const { mediaAccess, mediaLocalRoots, mediaReadFile } = ctx;
  const options = { maxBytes, mediaAccess, mediaLocalRoots, mediaReadFile, optimizeImages: false };
  const { buffer, contentType, fileName } = await loadOutboundMediaFromUrl(url, options);
  return { name: fileName || basename(new URL(url, "file:///").pathname) || "file", bytes: buffer, type: contentType };
}
