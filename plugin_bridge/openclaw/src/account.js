// The life of the account: from the configuration to routes that take deliveries, and back.

import { channelBlockedPatch, channelReadyPatch, channelStoppedPatch } from "openclaw/plugin-sdk/gateway-runtime";
import { waitUntilAbort } from "openclaw/plugin-sdk/channel-outbound";
import { registerPluginHttpRoute } from "openclaw/plugin-sdk/webhook-ingress";

import { ACCOUNT, CHANNEL } from "./addresses.js";
import { problemsOf, resolveAccount } from "./config.js";
import { PROTOCOL, VERSION } from "./gateway-client.js";
import { abortStream } from "./previews.js";
import { EVENTS_PATH, HEALTH_PATH, eventsHandler, healthHandler } from "./webhook.js";

const HOUR_MS = 3_600_000;
// For a host that tells nobody that it has started, or did before the plugin was there.
const STARTED_WITHIN_MS = 5_000;

/** Serve until `abortSignal`. */
export async function startAccount(rooms, { cfg, abortSignal, setStatus, log: hostLog }) {
  const log = quiet(hostLog);
  const problems = problemsOf(resolveAccount(cfg));
  if (problems.length > 0) {
    for (const problem of problems) log.error(`${problem}`);
    setStatus?.(channelBlockedPatch(problems.join("; "), { accountId: ACCOUNT, running: true }));
    return waitUntilAbort(abortSignal);
  }
  const room = rooms.of(cfg);
  const { turns } = rooms;
  const secrets = () => resolveAccount(rooms.runtime.config.current()).webhookSecrets;
  const close = [
    route(EVENTS_PATH, eventsHandler({ secrets, store: room.store, take: (id, event) => turns.take(id, event), log })),
    route(HEALTH_PATH, healthHandler({ store: room.store })),
  ];
  room.store.prune();
  const hourly = setInterval(() => {
    room.store.prune();
    void room.limits.learn().catch(() => {});
  }, HOUR_MS).unref();
  for (const stream of room.store.orphanStreams()) void abortStream(room.gateway, room.store, stream, log);
  setTimeout(() => rooms.hostStarted(), STARTED_WITHIN_MS).unref();
  turns.resume(log);
  void speaksOurs(room, log);
  log.info(`${VERSION} takes deliveries at ${EVENTS_PATH}`);
  setStatus?.(channelReadyPatch({ accountId: ACCOUNT }));
  return waitUntilAbort(abortSignal, async () => {
    turns.stop();
    clearInterval(hourly);
    for (const each of close) each();
    setStatus?.(channelStoppedPatch({ accountId: ACCOUNT }));
  });
}

/** Ask the gateway whether it knows us: what `openclaw channels status --probe` shows. */
export async function probe({ gateway, limits }) {
  const started = performance.now();
  try {
    const platforms = await limits.learn();
    const protocol = await gateway.protocol();
    const elapsedMs = Math.round(performance.now() - started);
    const known = { elapsedMs, platforms: Object.keys(platforms), protocol, plugin: VERSION };
    return protocol > PROTOCOL ? { ok: false, error: mismatch(protocol), ...known } : { ok: true, ...known };
  } catch (error) {
    return { ok: false, error: error.message, elapsedMs: Math.round(performance.now() - started) };
  }
}

async function speaksOurs(room, log) {
  const { ok, error, platforms } = await probe(room);
  if (ok) log.info(`the gateway serves ${platforms.join(", ") || "no platform"}`);
  else log.warn(`${error}`);
}

function mismatch(protocol) {
  return `this plugin (${VERSION}) speaks version ${PROTOCOL} of the agent protocol, the gateway version ${protocol}: update the plugin`;
}

function route(path, handler) {
  return registerPluginHttpRoute({
    path, handler, auth: "plugin", pluginId: CHANNEL, accountId: ACCOUNT, replaceExisting: true, throwOnFailure: true,
  });
}

// Some hosts give no logger, or one without a level.
function quiet(log) {
  const nothing = () => {};
  return Object.fromEntries(["debug", "info", "warn", "error"].map((level) => [level, log?.[level]?.bind(log) ?? nothing]));
}
