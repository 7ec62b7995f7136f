import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { Gateway, Refused, Unavailable } from "../../../plugin_bridge/openclaw/src/gateway-client.js";
import { Previews } from "../../../plugin_bridge/openclaw/src/previews.js";
import { Store } from "../../../plugin_bridge/openclaw/src/store.js";
import { eventsHandler } from "../../../plugin_bridge/openclaw/src/webhook.js";

const log = { debug() {}, info() {}, warn() {}, error() {} };
let server;
let gateway;
let answers;
let seen;

before(async () => {
  server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces).toString();
    seen.push({ verb: request.method, path: request.url, headers: request.headers, body });
    const [status, said, headers = {}] = answers.shift() ?? [200, { id: "msg_1" }];
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof said === "string" ? said : JSON.stringify(said));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  gateway = new Gateway({ url: `http://127.0.0.1:${server.address().port}`, key: "cgk_1", pauses: [1, 1] });
});
after(() => server.close());

function answering(...all) {
  answers = all;
  seen = [];
}

test("a write is tried again with the same key", async () => {
  answering([503, { error: { code: "store_unavailable" } }], [429, {}, { "retry-after": "0" }], [202, { id: "msg_7" }]);
  assert.equal((await gateway.send({ conversation: "slack:T1:C1", text: "hi" }, "k-1")).id, "msg_7");
  assert.deepEqual(seen.map(({ headers }) => headers["idempotency-key"]), ["k-1", "k-1", "k-1"]);
  assert.deepEqual([seen[0].headers.authorization, seen[0].headers["content-type"]], ["Bearer cgk_1", "application/json"]);
});

test("a refusal is final, and says what is wrong", async () => {
  answering([404, { error: { code: "unknown_conversation", message: "no such conversation", field: "conversation" } }]);
  await assert.rejects(gateway.send({}, "k-2"), (error) => error instanceof Refused && error.code === "unknown_conversation" && /conversation/.test(error.message));
  assert.equal(seen.length, 1);
});

test("nobody there is worth another try, later", async () => {
  const nobody = new Gateway({ url: "http://127.0.0.1:1", key: "cgk_1", pauses: [1] });
  await assert.rejects(nobody.send({}, "k-3"), Unavailable);
});

test("a redirect is not followed: it would carry the key along", async () => {
  answering([302, {}, { location: "http://127.0.0.1:1/" }], [302, {}, { location: "/" }], [302, {}, { location: "/" }]);
  await assert.rejects(gateway.send({}, "k-4"), Unavailable);
});

test("a file that is too large is not read", async () => {
  answering([200, "x".repeat(2000)]);
  await assert.rejects(gateway.download("att_1", 1000), (error) => error.code === "file_too_large");
});

test("a preview shows the newest words, and ends once", async () => {
  answering([202, { id: "msg_s" }]);
  const folder = mkdtempSync(path.join(tmpdir(), "aegis-"));
  const store = new Store(folder);
  const previews = new Previews();
  const preview = previews.begin({ gateway, store, conversation: "slack:T1:C1", messageId: "1.2", recipient: "U1", log });
  preview.show("one");
  preview.show("one two");
  preview.show("one two three");
  const taken = previews.take("slack:T1:C1", "1.2");
  assert.equal(taken, preview);
  assert.equal(previews.take("slack:T1:C1", "1.2"), undefined);
  assert.equal(await taken.close(), "msg_s");
  await preview.abort();
  assert.deepEqual(seen.map(({ path: where }) => where), ["/v1/streams", "/v1/streams/msg_s/append"]);
  assert.deepEqual(JSON.parse(seen[1].body), { text: "one two three" });
  assert.deepEqual(store.db.prepare("SELECT id FROM streams").all().map(({ id }) => id), ["msg_s"]);
  store.close();
  rmSync(folder, { recursive: true });
});

test("a delivery that cannot be stored is not taken", async () => {
  const broken = { pendingCount: () => 0, receive: () => { throw new Error("disk full"); } };
  const began = [];
  const handler = eventsHandler({ secrets: () => ["whsec_" + "A".repeat(32)], store: broken, take: (id) => began.push(id), log });
  const receiver = createServer(handler);
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const { createHmac } = await import("node:crypto");
  const body = JSON.stringify({ version: 1, type: "message.created", id: "E1", conversation: { id: "slack:T1:C1" }, sender: { id: "U1" } });
  const at = String(Math.floor(Date.now() / 1000));
  const signed = createHmac("sha256", Buffer.from("A".repeat(32), "base64")).update(`dlv_1.${at}.${body}`).digest("base64");
  const headers = { "webhook-id": "dlv_1", "webhook-timestamp": at, "webhook-signature": `v1,${signed}` };
  const response = await fetch(`http://127.0.0.1:${receiver.address().port}/`, { method: "POST", body, headers });
  assert.deepEqual([response.status, response.headers.get("retry-after"), began], [503, "2", []]);
  receiver.close();
});
