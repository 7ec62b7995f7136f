// From a stored delivery to a turn of OpenClaw's, at once: what waits for another turn waits in
// OpenClaw, which knows /stop and priorities; a queue here would hold /stop behind what it should stop.

import { AsyncLocalStorage } from "node:async_hooks";

import { resolveApprovalOverGateway } from "openclaw/plugin-sdk/approval-gateway-runtime";

import { admitted } from "./access.js";
import { ACCOUNT, CHANNEL } from "./addresses.js";
import { fetchAttachments } from "./attachments.js";
import { meaningOf } from "./meaning.js";
import { askToPair } from "./pairing.js";
import { routeOfEvent } from "./route.js";
import { runTurn } from "./turn.js";

// OpenClaw admits work by the async context of the HTTP request, and that ends with the 202: a turn
// begun inside of it dies with "Gateway is draining". This context is of no request.
const outside = AsyncLocalStorage.snapshot();

const RETRY_MS = [1_000, 5_000, 30_000, 120_000];

export class Turns {
  #lanes = new Map();
  #active = new Set();
  #stopped = true;

  /** @param {import("./room.js").Rooms} rooms */
  constructor(rooms) {
    this.rooms = rooms;
    this.log = console;
  }

  /** Begin what a delivery asks for. Returns at once; never throws. */
  take(id, event) {
    // The account may have been restarted while its turn runs.
    if (this.#active.has(id)) return;
    this.#active.add(id);
    const lane = event.conversation.id;
    const before = this.#lanes.get(lane) ?? this.rooms.started;
    // Only the begin keeps the order of a conversation. A turn that runs holds nobody.
    const begun = before.then(() => outside(() => this.#begin(id, event)));
    this.#lanes.set(lane, begun);
    void begun.finally(() => this.#lanes.get(lane) === begun && this.#lanes.delete(lane));
  }

  /** Begin again, with what a former life of this process has left. */
  resume(log) {
    this.log = log;
    this.#stopped = false;
    for (const { id, body } of this.rooms.store.pending()) this.take(id, JSON.parse(body));
  }

  /** Begin nothing more; what has begun goes on, and what is stored waits for `resume`. */
  stop() {
    this.#stopped = true;
  }

  async #begin(id, event) {
    if (this.#stopped) {
      this.#active.delete(id);
      return;
    }
    if (!this.rooms.store.begin(id)) {
      this.log.error(`delivery ${id} is given up after too many tries`);
      this.#settled(id, "failed");
      return;
    }
    try {
      const run = await this.#prepared(event);
      void run().then(() => this.#settled(id, "done"), (error) => this.#failed(id, event, error));
    } catch (error) {
      this.#failed(id, event, error);
    }
  }

  #settled(id, state) {
    this.rooms.store.settle(id, state);
    this.#active.delete(id);
  }

  #failed(id, event, error) {
    const pauseMs = RETRY_MS[this.rooms.store.attempts(id) - 1] ?? RETRY_MS.at(-1);
    this.log.error(`delivery ${id} failed, again in ${pauseMs / 1000} s: ${error?.stack ?? error}`);
    setTimeout(() => {
      this.#active.delete(id);
      this.take(id, event);
    }, pauseMs).unref();
  }

  /** Do what has to be done in order; gives what may run on by itself. */
  async #prepared(event) {
    const cfg = this.rooms.runtime.config.current();
    const room = this.rooms.of(cfg);
    const meaning = meaningOf(event, room.store);
    if (meaning.kind === "nothing") return done;
    const routing = this.rooms.runtime.channel.routing;
    const route = routeOfEvent({ routing, cfg, account: room.account, event });
    const { conversation } = event;
    const direct = conversation.kind === "direct";
    room.store.meet(conversation.id, conversation.kind, direct ? route.person : null, event.sender.name);
    const access = await admitted({ cfg, runtime: this.rooms.runtime, room, route, event, meaning });
    if (access.mayPair) return () => askToPair({ runtime: this.rooms.runtime, room, route, event, log: this.log });
    if (!access.allowed) {
      this.log.info(`${event.type} of ${route.person} is refused: ${access.reason}`);
      return done;
    }
    if (meaning.kind === "note") return () => this.#note(meaning.text, route, event);
    if (meaning.kind === "approval") return () => this.#decide(meaning.approval, cfg, route, event);
    const files = await this.#files(room, event);
    return () => runTurn({ runtime: this.rooms.runtime, cfg, room, route, event, meaning, access, files, log: this.log });
  }

  #files(room, event) {
    const save = this.rooms.runtime.channel.media.saveMediaBuffer;
    return fetchAttachments({ event, gateway: room.gateway, mostBytes: room.account.mediaMaxBytes, save, log: this.log });
  }

  async #note(text, route, event) {
    const contextKey = `${CHANNEL}:${event.id}`;
    this.rooms.runtime.system.enqueueSystemEvent(text, { sessionKey: route.sessionKey, agentId: route.agentId, contextKey });
  }

  async #decide({ approvalId, approvalKind, decision }, cfg, route, event) {
    if (!event.sender.may_command) {
      this.log.info(`${route.person} may not decide approvals`);
      return;
    }
    await resolveApprovalOverGateway({
      cfg, approvalId, approvalKind, decision, channel: CHANNEL, accountId: ACCOUNT, senderId: route.person,
    });
  }
}

async function done() {}
