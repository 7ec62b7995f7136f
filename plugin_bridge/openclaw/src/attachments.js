// Brings the files of a message into OpenClaw's own media store, through the gateway: the container
// has no token of the platform's.

/**
 * @returns {Promise<{media: object[], missing: string[]}>} facts about what was fetched, and words
 *   about what was not: a message must not wait for ever for its picture
 */
export async function fetchAttachments({ event, gateway, mostBytes, save, log }) {
  const media = [];
  const missing = [];
  for (const attachment of event.attachments ?? []) {
    const name = attachment.name ?? "attachment";
    try {
      const { bytes, type } = await gateway.download(attachment.id, mostBytes);
      const contentType = attachment.media_type ?? type;
      const saved = await save(bytes, contentType, "inbound", mostBytes, name);
      media.push({
        path: saved.path,
        contentType: saved.contentType ?? contentType,
        fileName: name,
        sizeBytes: bytes.length,
        messageId: event.message_id,
      });
    } catch (error) {
      log.warn(`an attachment of ${event.id} was not fetched: ${error.message}`);
      missing.push(`[${name} could not be fetched: ${error.code || "unavailable"}]`);
    }
  }
  return { media, missing };
}
