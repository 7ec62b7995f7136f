// The routes that the gateway calls. A delivery is answered with 202 once it is stored, and not
// before; what becomes of it then is not this request's affair.

import { once } from "node:events";

import { PROTOCOL, VERSION } from "./gateway-client.js";
import { SignatureError, verifiedId } from "./signature.js";

export const EVENTS_PATH = "/aegis/v1/events";
export const HEALTH_PATH = "/aegis/v1/health";

const MOST_BODY_BYTES = 1024 * 1024;
const BODY_WITHIN_MS = 10_000;
const MOST_PENDING = 1_000;

class Rejection extends Error {
  constructor(status, code, message, field) {
    super(message);
    Object.assign(this, { status, code, field });
  }
}

/**
 * Make the handler of EVENTS_PATH.
 * @param {{secrets: () => string[], store: import("./store.js").Store, take: (id: string, event: object) => void,
 *   log: {warn: (text: string) => void}}} room `take` begins the work and returns at once
 */
export function eventsHandler({ secrets, store, take, log }) {
  return async (request, response) => {
    try {
      if (request.method !== "POST") throw new Rejection(405, "method_not_allowed", "POST a delivery");
      const body = await readBody(request);
      const id = verified(request, body, secrets());
      const event = parsed(body);
      if (store.pendingCount() >= MOST_PENDING) throw new Rejection(503, "busy", "too much is waiting here");
      const isNew = store.receive(id, body.toString("utf8"));
      answer(response, 202, { ok: true, id, duplicate: !isNew });
      if (isNew) take(id, event);
    } catch (error) {
      reject(request, response, error, log);
    }
    return true;
  };
}

/** Make the handler of HEALTH_PATH: 200 while deliveries can be stored. */
export function healthHandler({ store }) {
  return (_request, response) => {
    try {
      answer(response, 200, { status: "ok", plugin: VERSION, protocol: PROTOCOL, pending: store.pendingCount() });
    } catch {
      answer(response, 503, { status: "store_unavailable", plugin: VERSION, protocol: PROTOCOL });
    }
    return true;
  };
}

async function readBody(request) {
  const pieces = [];
  let size = 0;
  const late = setTimeout(() => request.destroy(), BODY_WITHIN_MS);
  try {
    // Not destroyed on leaving: a refusal has to reach who sent too much.
    for await (const piece of request.iterator({ destroyOnReturn: false })) {
      size += piece.length;
      if (size > MOST_BODY_BYTES) throw new Rejection(413, "body_too_large", `over ${MOST_BODY_BYTES} bytes`);
      pieces.push(piece);
    }
  } finally {
    clearTimeout(late);
  }
  return Buffer.concat(pieces);
}

function verified(request, body, secrets) {
  try {
    return verifiedId({ headers: request.headers, body, secrets });
  } catch (error) {
    if (!(error instanceof SignatureError)) throw error;
    throw new Rejection(401, "unauthorized", error.message, error.message.split(":", 1)[0]);
  }
}

function parsed(body) {
  let event;
  try {
    event = JSON.parse(body.toString("utf8"));
  } catch {
    throw new Rejection(400, "invalid_json", "the body is not JSON");
  }
  if (!Number.isInteger(event?.version)) throw new Rejection(400, "invalid_field", "is missing", "version");
  if (event.version > PROTOCOL) {
    // A 5xx: the gateway keeps the delivery and tries again, so that an update loses nothing.
    const said = `this plugin (${VERSION}) speaks version ${PROTOCOL} of the agent protocol, the delivery is of version ${event.version}: update the plugin`;
    throw new Rejection(501, "protocol_too_new", said, "version");
  }
  for (const [field, there] of [
    ["type", typeof event.type === "string"],
    ["id", typeof event.id === "string"],
    ["conversation", typeof event.conversation?.id === "string"],
    ["sender", typeof event.sender?.id === "string"],
  ]) {
    if (!there) throw new Rejection(400, "invalid_field", "is missing", field);
  }
  return event;
}

function reject(request, response, error, log) {
  const known = error instanceof Rejection;
  if (!known) log.warn(`a delivery could not be stored: ${error.message}`);
  else if (error.status !== 405) log.warn(`a delivery was refused: ${error.status} ${error.code}: ${error.message}`);
  const { status, code, message, field } = known ? error : { status: 503, code: "store_unavailable", message: "try again" };
  const headers = { ...(status === 503 && { "retry-after": "2" }), ...(status === 405 && { allow: "POST" }) };
  answer(response, status, { error: { code, message, ...(field && { field }) } }, headers);
  // What is left of a body that is too large would be read as the next request.
  if (!request.complete) once(response, "finish").then(() => request.destroy(), () => request.destroy());
}

function answer(response, status, body, headers = {}) {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}
