import assert from "node:assert/strict";
import { test } from "node:test";

import {
  TargetError, normalizedTarget, parentOf, parseConversation, parseTarget, sessionPeer,
} from "../../../plugin_bridge/openclaw/src/addresses.js";
import { routeOfEvent, routeOfTarget } from "../../../plugin_bridge/openclaw/src/route.js";

// As OpenClaw makes them: everything in small letters.
const routing = {
  resolveAgentRoute: () => ({ agentId: "main" }),
  buildAgentSessionKey: ({ agentId, channel, accountId, peer }) =>
    `agent:${agentId}:${channel}:${accountId}:${peer.kind}:${peer.id}`.toLowerCase(),
};
const ROOM = { routing, cfg: {}, account: {} };

function event(conversation, user = "U0ANNA") {
  return { agent: "main", sender: { id: user }, conversation: { platform: "slack", workspace: "T1", thread: null, ...conversation } };
}

test("a conversation is read as the gateway wrote it", () => {
  const teams = parseConversation("teams:9d2a:19%3Aab%40thread.tacv2:17%2B1");
  assert.deepEqual([teams.channel, teams.thread], ["19:ab@thread.tacv2", "17+1"]);
  assert.equal(parentOf(teams), "teams:9d2a:19%3Aab%40thread.tacv2");
  for (const bad of ["", "slack:T1", "slack:T1:C1:1:2", "slack::C1", "slack:T1:%zz"]) assert.equal(parseConversation(bad), null, bad);
});

test("targets are conversations, users and channels", () => {
  assert.deepEqual(parseTarget("conversation:slack:T1:C1:1.2"), { conversation: "slack:T1:C1:1.2" });
  assert.deepEqual(parseTarget("aegis:slack:T1:C1"), { conversation: "slack:T1:C1" });
  assert.deepEqual(parseTarget("slack:T1:C1", "1.2"), { conversation: "slack:T1:C1:1.2" });
  assert.deepEqual(parseTarget("slack:T1:C1:1.2", "9.9"), { conversation: "slack:T1:C1:1.2" });
  assert.deepEqual(parseTarget("user:slack:T1:U1"), { to: { platform: "slack", workspace: "T1", user: "U1" } });
  assert.deepEqual(parseTarget("channel:slack:T1:#general"), { to: { platform: "slack", workspace: "T1", channel: "#general" } });
});

test("what is no target is refused in words", () => {
  for (const bad of ["", "general", "user:U1", "user:slack:T1:U1:1"]) {
    assert.throws(() => parseTarget(bad), (error) => error instanceof TargetError && error.message.includes("user:<platform>"), bad);
    assert.equal(normalizedTarget(bad), undefined, bad);
  }
});

test("a target keeps the case of its ids", () => {
  assert.equal(normalizedTarget(" slack:T1:C1 "), "conversation:slack:T1:C1");
  assert.equal(normalizedTarget("User:slack:T1:U1"), "user:slack:T1:U1");
});

test("ids that differ by case only have sessions of their own", () => {
  const [one, two] = ["teams:9d2a:a:1Xy", "teams:9d2a:a:1xY"].map(sessionPeer).map((peer) => peer.toLowerCase());
  assert.notEqual(one, two);
  assert.equal(sessionPeer("slack:T1:C1"), "slack:T1:C1");
});

test("everybody has a session of their own, and every thread", () => {
  const keys = [
    event({ kind: "direct", channel: "D1", id: "slack:T1:D1" }),
    event({ kind: "direct", channel: "D2", id: "slack:T1:D2" }, "U0BEN"),
    event({ kind: "channel", channel: "C1", id: "slack:T1:C1" }),
    event({ kind: "channel", channel: "C1", thread: "1.2", id: "slack:T1:C1:1.2" }),
    event({ kind: "channel", channel: "C1", thread: "1.3", id: "slack:T1:C1:1.3" }),
  ].map((each) => routeOfEvent({ ...ROOM, event: each }).sessionKey);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(keys[3], "agent:main:aegis:default:channel:slack:t1:c1:thread:1.2");
});

test("a send finds the session in which it was asked", () => {
  const asked = event({ kind: "direct", channel: "D1", id: "slack:T1:D1" });
  const met = (id) => (id === "slack:T1:D1" ? { kind: "direct", person: "slack:T1:U0ANNA" } : undefined);
  const sent = (target) => routeOfTarget({ ...ROOM, agentId: "main", target, met }).sessionKey;
  const { sessionKey } = routeOfEvent({ ...ROOM, event: asked });
  assert.equal(sent({ conversation: "slack:T1:D1" }), sessionKey);
  assert.equal(sent({ to: { platform: "slack", workspace: "T1", user: "U0ANNA" } }), sessionKey);
  assert.notEqual(sent({ conversation: "slack:T1:C1" }), sessionKey);
});

test("the gateway's choice of an agent counts when it is one of ours", () => {
  const cfg = { agents: { list: [{ id: "main" }, { id: "sales" }] } };
  const chosen = (agent, agentId) =>
    routeOfEvent({ routing, cfg, account: { agentId }, event: { ...event({ kind: "channel", channel: "C1", id: "x" }), agent } }).agentId;
  assert.deepEqual([chosen("sales"), chosen("nobody"), chosen("main", "sales"), chosen("main", "main")], ["sales", "main", "sales", "main"]);
});
