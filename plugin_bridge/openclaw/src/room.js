// What a process of OpenClaw shares between turns and sends: the store, the previews, the way to the
// gateway. One per process, for OpenClaw loads a channel's routes and its sends apart from each other.

import path from "node:path";

import { resolveAccount } from "./config.js";
import { Gateway } from "./gateway-client.js";
import { Limits } from "./limits.js";
import { Previews } from "./previews.js";
import { Store } from "./store.js";
import { Turns } from "./turns.js";

/** @typedef {{account: import("./config.js").Account, gateway: Gateway, limits: Limits, store: Store,
 *   previews: Previews}} Room */

export class Rooms {
  #runtime = null;
  #store = null;
  #gateway = null;
  #limits = null;
  #previews = new Previews();
  #start = Promise.withResolvers();

  /** One for the life of the process: turns go on while the account is restarted. */
  turns = new Turns(this);

  /** Resolves when OpenClaw has started: a turn that begins sooner finds its databases half open. */
  get started() {
    return this.#start.promise;
  }

  hostStarted() {
    this.#start.resolve();
  }

  /** Take the host's runtime; called once, before anything else. */
  setRuntime(runtime) {
    this.#runtime = runtime;
  }

  get runtime() {
    if (this.#runtime === null) throw new Error("aegis: OpenClaw has not loaded the plugin yet");
    return this.#runtime;
  }

  /** @returns {Room} by the configuration of this moment: it may change while OpenClaw runs */
  of(cfg) {
    const account = resolveAccount(cfg);
    const gateway = this.#gatewayOf(account);
    return { account, gateway, limits: this.#limits, store: this.store, previews: this.#previews };
  }

  /** Open until the process ends: turns outlive the account that began them. */
  get store() {
    this.#store ??= new Store(path.join(this.runtime.state.resolveStateDir(), "aegis"));
    return this.#store;
  }

  #gatewayOf({ gatewayUrl, agentKey }) {
    const known = this.#gateway;
    if (known?.url !== gatewayUrl || known.authorization !== `Bearer ${agentKey}`) {
      this.#gateway = new Gateway({ url: gatewayUrl, key: agentKey });
      this.#limits = new Limits(this.#gateway);
    }
    return this.#gateway;
  }
}
