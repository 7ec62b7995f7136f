// Lets the plugin's parts find the SDK of the real OpenClaw, as its loader does:
// node --import ./host.mjs, with the package's folder in OPENCLAW_PACKAGE.

import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const host = pathToFileURL(`${process.env.OPENCLAW_PACKAGE}/package.json`).href;

registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, specifier.startsWith("openclaw/") ? { ...context, parentURL: host } : context),
});
