import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { probe } from "../../../plugin_bridge/openclaw/src/account.js";
import { Gateway, PROTOCOL } from "../../../plugin_bridge/openclaw/src/gateway-client.js";
import { Limits } from "../../../plugin_bridge/openclaw/src/limits.js";
import { messageAdapter, outboundAdapter } from "../../../plugin_bridge/openclaw/src/outbound.js";
import { Previews } from "../../../plugin_bridge/openclaw/src/previews.js";
import { Store } from "../../../plugin_bridge/openclaw/src/store.js";

const TABLE = {
  abilities: { buttons: { support: "native" }, selects: { support: "none" } },
  limits: { part_chars: 2000, file_bytes: 100 },
};
const ANSWER = { cfg: {}, to: "conversation:slack:T1:C1", text: "done", replyToId: "1.2" };

let folder;
let server;
let room;
let answers;
let asked;
let rooms;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "aegis-"));
  asked = [];
  answers = {
    "POST /v1/messages": [202, { id: "msg_1" }],
    "GET /v1/messages/msg_1": [200, { id: "msg_1", status: "sent" }],
    "GET /v1/capabilities": [200, { platforms: { slack: TABLE } }],
    "GET /openapi.json": [200, { info: { version: "1.0" } }],
  };
  server = createServer((request, response) => {
    const what = `${request.method} ${request.url}`;
    asked.push(what);
    const [status, said] = answers[what] ?? [404, { error: { code: "not_found" } }];
    request.resume().on("end", () => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said)));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const gateway = new Gateway({ url: `http://127.0.0.1:${server.address().port}`, key: "cgk_1", pauses: [1] });
  const account = { mediaMaxBytes: 1000, streaming: true };
  room = { account, gateway, limits: new Limits(gateway), store: new Store(folder), previews: new Previews() };
  rooms = { of: () => room };
});
afterEach(() => {
  server.close();
  room.store.close();
  rmSync(folder, { recursive: true });
});

function unknownSend(since = 0) {
  const { to, replyToId, text } = ANSWER;
  return messageAdapter(rooms).durableFinal.reconcileUnknownSend({ cfg: {}, to, replyToId, enqueuedAt: since, payloads: [{ text }] });
}

test("what became of a send is asked of the gateway", async () => {
  const { messageId } = await messageAdapter(rooms).send.text(ANSWER);
  const sent = await unknownSend();
  assert.deepEqual([sent.status, sent.messageId, messageId], ["sent", "msg_1", "msg_1"]);
  assert.equal(asked.at(-1), "GET /v1/messages/msg_1");
});

test("a send that nobody took, or that failed, may go out again", async () => {
  assert.deepEqual(await unknownSend(), { status: "not_sent" });
  await messageAdapter(rooms).send.text(ANSWER);
  assert.deepEqual(await unknownSend(Date.now() + 60_000), { status: "not_sent" });
  answers["GET /v1/messages/msg_1"] = [200, { id: "msg_1", status: "failed" }];
  assert.deepEqual(await unknownSend(), { status: "not_sent" });
});

test("while the gateway does not say, nothing goes out again", async () => {
  await messageAdapter(rooms).send.text(ANSWER);
  answers["GET /v1/messages/msg_1"] = [503, { error: { code: "store_unavailable" } }];
  const { status, retryable } = await unknownSend();
  assert.deepEqual([status, retryable], ["unresolved", true]);
});

test("a gateway of a newer protocol is named, with what to do", async () => {
  answers["GET /openapi.json"] = [200, { info: { version: `${PROTOCOL + 1}.0` } }];
  const { ok, error } = await probe(room);
  assert.equal(ok, false);
  assert.match(error, /speaks version 1 of the agent protocol, the gateway version 2: update the plugin/);
});

test("the platforms' limits are the gateway's", async () => {
  assert.equal(await room.limits.fileBytes("slack", 1000), 100);
  assert.equal(await room.limits.fileBytes("slack", 50), 50);
  const { buttons, selects } = outboundAdapter(rooms).resolvePresentationCapabilities({ cfg: {} });
  assert.deepEqual([buttons, selects], [true, false]);
});

test("limits that nobody could tell are none", async () => {
  answers["GET /v1/capabilities"] = [503, {}];
  assert.equal(await room.limits.fileBytes("slack", 1000), 1000);
  assert.equal(outboundAdapter(rooms).resolvePresentationCapabilities({ cfg: {} }).selects, true);
});

test("a file that is too large for its platform is not sent", async () => {
  const file = path.join(folder, "big.txt");
  const { writeFileSync } = await import("node:fs");
  writeFileSync(file, "x".repeat(101));
  const send = messageAdapter(rooms).send.media({ ...ANSWER, mediaUrl: file, mediaLocalRoots: [folder] });
  await assert.rejects(send, /exceeds/);
  assert.deepEqual(asked.filter((what) => what.startsWith("POST")), []);
});
