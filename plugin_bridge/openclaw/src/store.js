// What the plugin keeps: events until their turn is over, conversations it has met, what it has
// sent, previews that are shown, buttons that may be pressed. One SQLite file of the container's own:
// OpenClaw opens its own stores to bundled plugins only.

import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

const DAY_MS = 86_400_000;
// The gateway's own dead letters may be sent again days later.
const KEPT_MS = { inbox: 8 * DAY_MS, sends: 2 * DAY_MS, streams: DAY_MS, actions: 30 * DAY_MS };
export const MOST_ATTEMPTS = 5;

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA busy_timeout = 5000;
  CREATE TABLE IF NOT EXISTS inbox (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    at INTEGER NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS inbox_pending ON inbox (at) WHERE state = 'pending';
  CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, person TEXT, label TEXT, at INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS sends (
    fingerprint TEXT NOT NULL, ordinal INTEGER NOT NULL, message TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, ordinal)) STRICT;
  CREATE TABLE IF NOT EXISTS streams (id TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS actions (
    id TEXT PRIMARY KEY, action TEXT NOT NULL, label TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
`;

export class Store {
  #ownStreams = new Set();

  constructor(folder) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.db = new DatabaseSync(path.join(folder, "aegis.sqlite"));
    this.db.exec(SCHEMA);
  }

  close() {
    this.db.close();
  }

  // -- inbox ------------------------------------------------------------------------------------

  /** Keep a delivery. False when it was here before. On return it survives a power cut. */
  receive(id, body) {
    const taken = this.#run(
      "INSERT INTO inbox VALUES (?, ?, 'pending', 0, ?) ON CONFLICT DO NOTHING", id, body, Date.now());
    return taken.changes === 1;
  }

  /** Note that a turn begins. False when it began too often: then it ends the process each time. */
  begin(id) {
    this.#run("UPDATE inbox SET attempts = attempts + 1 WHERE id = ?", id);
    return this.attempts(id) <= MOST_ATTEMPTS;
  }

  attempts(id) {
    return this.#get("SELECT attempts FROM inbox WHERE id = ?", id)?.attempts ?? 0;
  }

  /** Note that nothing is to be done for it any more. Its id stays, to know a repeat by. */
  settle(id, state = "done") {
    this.#run("UPDATE inbox SET state = ?, body = '' WHERE id = ?", state, id);
  }

  /** What a former life of this process has left, in the order in which it came. */
  pending() {
    return this.#all("SELECT id, body FROM inbox WHERE state = 'pending' ORDER BY at, rowid");
  }

  pendingCount() {
    return this.#get("SELECT count(*) AS n FROM inbox WHERE state = 'pending'").n;
  }

  // -- conversations ----------------------------------------------------------------------------

  /** Remember what kind a conversation is, and whose, when it is somebody's direct messages. */
  meet(id, kind, person, label) {
    this.#run(
      `INSERT INTO conversations VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, person = excluded.person,
       label = coalesce(excluded.label, label), at = excluded.at`,
      id, kind, person, label, Date.now());
  }

  met(id) {
    return this.#get("SELECT kind, person, label FROM conversations WHERE id = ?", id);
  }

  // -- what was sent ----------------------------------------------------------------------------

  /**
   * The key of the next send of this content: that of an earlier try, until one is confirmed. An
   * answer is `once`: the same words to the same question are the same answer, also after a crash
   * between the gateway's receipt and OpenClaw's note of it.
   */
  sendKey(fingerprint, { once }) {
    const { n } = this.#get("SELECT count(*) AS n FROM sends WHERE fingerprint = ?", fingerprint);
    const ordinal = once ? 0 : n;
    return { key: `oc-${fingerprint}-${ordinal}`, ordinal };
  }

  confirmSend(fingerprint, ordinal, message) {
    this.#run("INSERT INTO sends VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", fingerprint, ordinal, message, Date.now());
  }

  /** The newest message of this content that the gateway has taken since `sinceMs`. */
  sent(fingerprint, sinceMs) {
    return this.#get(
      "SELECT message FROM sends WHERE fingerprint = ? AND at >= ? ORDER BY ordinal DESC LIMIT 1",
      fingerprint, sinceMs)?.message;
  }

  // -- previews ---------------------------------------------------------------------------------

  streamOpened(id) {
    this.#ownStreams.add(id);
    this.#run("INSERT INTO streams VALUES (?, ?) ON CONFLICT DO NOTHING", id, Date.now());
  }

  streamEnded(id) {
    this.#ownStreams.delete(id);
    this.#run("DELETE FROM streams WHERE id = ?", id);
  }

  /** Previews that nobody will end: their process is gone. */
  orphanStreams() {
    return this.#all("SELECT id FROM streams").map(({ id }) => id).filter((id) => !this.#ownStreams.has(id));
  }

  // -- buttons ----------------------------------------------------------------------------------

  /** Keep what a button does; gives the id that travels. The same action has the same id, or a
   * message that is sent again would be another message. */
  keepAction(action, label) {
    const text = JSON.stringify(action);
    const id = `oc.${createHash("sha256").update(`${text}\0${label}`).digest("hex").slice(0, 24)}`;
    this.#run(
      "INSERT INTO actions VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at",
      id, text, label, Date.now());
    return id;
  }

  action(id) {
    const row = this.#get("SELECT action, label FROM actions WHERE id = ?", id);
    return row && { action: JSON.parse(row.action), label: row.label };
  }

  /** Forget what is too old to be asked for. */
  prune(nowMs = Date.now()) {
    for (const [table, keptMs] of Object.entries(KEPT_MS)) {
      const done = table === "inbox" ? " AND state <> 'pending'" : "";
      this.#run(`DELETE FROM ${table} WHERE at < ?${done}`, nowMs - keptMs);
    }
  }

  #run(sql, ...values) {
    return this.db.prepare(sql).run(...values.map((value) => value ?? null));
  }

  #get(sql, ...values) {
    return this.db.prepare(sql).get(...values);
  }

  #all(sql, ...values) {
    return this.db.prepare(sql).all(...values);
  }
}
