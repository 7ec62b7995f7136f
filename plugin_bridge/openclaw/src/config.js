// The section `channels.aegis` of the configuration, read and checked. Secrets stay in it: nothing
// here may end up in a log or an error.

import { ACCOUNT, CHANNEL } from "./addresses.js";

/**
 * @typedef {{accountId: string, enabled: boolean, gatewayUrl: string, agentKey: string,
 *   webhookSecrets: string[], agentId: string | undefined, dmPolicy: string, allowFrom: string[],
 *   groupPolicy: string, groupAllowFrom: string[], streaming: boolean, hideErrors: boolean,
 *   mediaMaxBytes: number}} Account
 */

/** @returns {Account} with defaults in place of what is not set. Never throws: see `problemsOf`. */
export function resolveAccount(cfg) {
  const section = sectionOf(cfg);
  // The gateway has asked its own rules of access first, so by default nobody is kept out twice.
  const { dmPolicy = "open", groupPolicy = "open" } = section;
  const allowFrom = section.allowFrom ?? everybodyIf(dmPolicy);
  return {
    accountId: ACCOUNT,
    enabled: section.enabled !== false,
    gatewayUrl: text(section.gatewayUrl).replace(/\/+$/, ""),
    agentKey: text(section.agentKey),
    webhookSecrets: list(section.webhookSecrets).map(text).filter(Boolean),
    agentId: text(section.agentId) || undefined,
    dmPolicy,
    allowFrom: list(allowFrom),
    groupPolicy,
    groupAllowFrom: list(section.groupAllowFrom ?? section.allowFrom ?? everybodyIf(groupPolicy)),
    streaming: section.streaming !== false,
    hideErrors: section.hideErrors === true,
    mediaMaxBytes: (section.mediaMaxMb ?? 20) * 1024 * 1024,
  };
}

/** What keeps the account from working, each with the name of its field. */
export function problemsOf(account) {
  const problems = [];
  if (!/^https?:\/\//.test(account.gatewayUrl)) problems.push("gatewayUrl: is missing");
  if (!account.agentKey) problems.push("agentKey: is missing");
  if (account.webhookSecrets.length === 0) problems.push("webhookSecrets: at least one is needed");
  if (account.webhookSecrets.some((secret) => !/^whsec_[A-Za-z0-9+/]{16,}={0,2}$/.test(secret))) {
    problems.push("webhookSecrets: one is not of the form whsec_<base64>");
  }
  return problems.map((problem) => `channels.${CHANNEL}.${problem}`);
}

/** What a page of status may show. */
export function inspectAccount(cfg) {
  const account = resolveAccount(cfg);
  return {
    accountId: ACCOUNT,
    enabled: account.enabled,
    configured: problemsOf(account).length === 0,
    tokenStatus: account.agentKey ? "available" : "missing",
  };
}

export function isPresent(cfg) {
  return Object.keys(sectionOf(cfg)).length > 0;
}

function sectionOf(cfg) {
  return cfg?.channels?.[CHANNEL] ?? {};
}

// A list that was forgotten lets nobody in: a star would make `allowlist` mean `open`.
function everybodyIf(policy) {
  return policy === "open" ? ["*"] : [];
}

function text(value) {
  return typeof value === "string" ? value.trim() : "";
}

function list(value) {
  return Array.isArray(value) ? value.map(String) : [];
}
