// Verifies what the gateway signed, by Standard Webhooks: https://www.standardwebhooks.com
// Pure. Must never see a parsed body: the signature is over the bytes as they came.

import { createHmac, timingSafeEqual } from "node:crypto";

export const TOLERANCE_S = 300;
const ID = /^[\x21-\x7e]{1,255}$/;

/** The request is not the gateway's, or too old to be its latest word. */
export class SignatureError extends Error {}

/**
 * Give the delivery's id. Throws SignatureError.
 * @param {{headers: Record<string, string | string[] | undefined>, body: Buffer, secrets: string[], nowS?: number}} request
 */
export function verifiedId({ headers, body, secrets, nowS = Date.now() / 1000 }) {
  const id = single(headers, "webhook-id");
  const timestamp = single(headers, "webhook-timestamp");
  if (!ID.test(id)) throw new SignatureError("webhook-id: is missing or no id");
  if (!/^[0-9]{1,12}$/.test(timestamp)) throw new SignatureError("webhook-timestamp: is missing or no time");
  if (Math.abs(nowS - Number(timestamp)) > TOLERANCE_S) {
    throw new SignatureError("webhook-timestamp: is too far from this machine's clock");
  }
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const expected = secrets.map((secret) => createHmac("sha256", keyOf(secret)).update(signed).digest());
  if (!anyMatches(expected, single(headers, "webhook-signature"))) {
    throw new SignatureError("webhook-signature: is of none of the secrets");
  }
  return id;
}

/** The bytes of a secret: base64 after `whsec_`. */
export function keyOf(secret) {
  return Buffer.from(secret.replace(/^whsec_/, ""), "base64");
}

function anyMatches(expected, header) {
  let matched = false;
  // A bound on the work that an unsigned request can ask for; a rotation sends two.
  for (const part of header.split(" ").slice(0, 8)) {
    if (!part.startsWith("v1,")) continue;
    const given = Buffer.from(part.slice(3), "base64");
    for (const each of expected) {
      // Every pair is compared: which of them matched must not show in the time it takes.
      if (given.length === each.length && timingSafeEqual(given, each)) matched = true;
    }
  }
  return matched;
}

function single(headers, name) {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}
