import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { pressed, rendered } from "../../../plugin_bridge/openclaw/src/presentation.js";
import { MOST_ATTEMPTS, Store } from "../../../plugin_bridge/openclaw/src/store.js";

let folder;
let store;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "aegis-"));
  store = new Store(folder);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

test("a delivery is there once, in its order, until it is settled", () => {
  assert.deepEqual([store.receive("b", "1"), store.receive("a", "2"), store.receive("b", "3")], [true, true, false]);
  assert.deepEqual(store.pending().map(({ id, body }) => [id, body]), [["b", "1"], ["a", "2"]]);
  store.settle("b");
  assert.deepEqual([store.pendingCount(), store.receive("b", "4")], [1, false]);
});

test("another process finds what the first has left", () => {
  store.receive("a", "{}");
  const other = new Store(folder);
  assert.equal(other.pendingCount(), 1);
  other.close();
});

test("what ends the process each time is given up", () => {
  store.receive("a", "{}");
  const tries = Array.from({ length: MOST_ATTEMPTS + 1 }, () => store.begin("a"));
  assert.deepEqual(tries, [...Array(MOST_ATTEMPTS).fill(true), false]);
});

test("a retry has the key of its first try, new words of the same sound have another", () => {
  const first = store.sendKey("f", { once: false });
  assert.deepEqual(store.sendKey("f", { once: false }), first);
  store.confirmSend("f", first.ordinal, "msg_1");
  assert.notEqual(store.sendKey("f", { once: false }).key, first.key);
  assert.equal(store.sendKey("f", { once: true }).key, first.key);
  assert.deepEqual([store.sent("f", 0), store.sent("f", Date.now() + 1000), store.sent("g", 0)], ["msg_1", undefined, undefined]);
});

test("a preview of a process that is gone is nobody's", () => {
  store.streamOpened("msg_1");
  const next = new Store(folder);
  assert.deepEqual([store.orphanStreams(), next.orphanStreams()], [[], ["msg_1"]]);
  next.close();
});

test("what is old is forgotten, what waits is not", () => {
  store.receive("done", "{}");
  store.settle("done");
  store.receive("waits", "{}");
  store.streamOpened("msg_1");
  store.prune(Date.now() + 30 * 86_400_000);
  assert.deepEqual(store.pending().map(({ id }) => id), ["waits"]);
  assert.equal(store.receive("done", "{}"), true);
  assert.equal(store.db.prepare("SELECT count(*) AS n FROM streams").get().n, 0);
});

const BUTTONS = {
  title: "Version 7",
  tone: "info",
  blocks: [
    { type: "text", text: "Canary is ready." },
    { type: "buttons", buttons: [
      { label: "Deploy", style: "success", action: { type: "callback", value: "deploy:".padEnd(300, "x") } },
      { label: "Status", action: { type: "command", command: "/status" } },
      { label: "Allow", action: { type: "approval", approvalId: "ap_1", approvalKind: "exec", decision: "allow-once" } },
      { label: "Notes", action: { type: "url", url: "https://example.com/notes" } },
      { label: "Old", disabled: true, value: "old" },
    ] },
    { type: "select", placeholder: "Where?", options: [{ label: "Europe", value: "eu" }, { label: "Status", action: { type: "command", command: "/status" } }] },
  ],
};

test("a presentation becomes components that every platform holds", () => {
  const { text, components } = rendered(BUTTONS, store);
  assert.equal(text, "**Version 7**\n\nCanary is ready.\n\nOld");
  const [{ buttons }, select] = components;
  assert.deepEqual(buttons.map(({ label, style }) => [label, style]), [["Deploy", "primary"], ["Status", "default"], ["Allow", "default"], ["Notes", "default"]]);
  for (const { id } of [...buttons, select]) assert.match(id, /^[A-Za-z0-9._-]{1,40}$/);
  assert.equal(buttons[3].url, "https://example.com/notes");
  assert.deepEqual(rendered(BUTTONS, store).components, components);
});

test("what is pressed means what was offered", () => {
  const [{ buttons }, select] = rendered(BUTTONS, store).components;
  const press = (id, values = []) => pressed({ id, kind: "button", values, fields: {} }, store);
  assert.deepEqual(press(buttons[0].id), { kind: "text", text: `[pressed: Deploy (${"deploy:".padEnd(300, "x")})]` });
  assert.deepEqual(press(buttons[1].id), { kind: "command", text: "/status" });
  assert.equal(press(buttons[2].id).approval.approvalId, "ap_1");
  assert.deepEqual(press(select.id, [select.options[0].value]), { kind: "text", text: "[pressed: Europe (eu)]" });
  assert.deepEqual(press(select.id, [select.options[1].value]), { kind: "command", text: "/status" });
  assert.deepEqual(press("somebody-elses", ["7"]), { kind: "text", text: "[pressed: somebody-elses (7)]" });
  assert.deepEqual(pressed({ id: "why", kind: "form", values: [], fields: { reason: ["too slow"] } }, store), { kind: "text", text: "[form: why]\nreason: too slow" });
});
