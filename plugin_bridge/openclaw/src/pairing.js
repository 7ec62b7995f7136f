// OpenClaw's own way to let somebody in: a stranger who writes directly gets a code, and an operator
// approves it (`openclaw pairing approve aegis CODE`). Who is let in stands in OpenClaw's store.

import { randomUUID } from "node:crypto";

import { createChannelPairingController } from "openclaw/plugin-sdk/channel-pairing";

import { ACCOUNT, CHANNEL, parseTarget } from "./addresses.js";
import { asKey } from "./gateway-client.js";

/** Answer a stranger with a code. OpenClaw makes one an hour for each of them, and three at a time. */
export async function askToPair({ runtime, room, route, event, log }) {
  const pairing = createChannelPairingController({ core: runtime, channel: CHANNEL, accountId: ACCOUNT });
  const { created } = await pairing.issueChallenge({
    senderId: route.person,
    senderIdLine: `Your id: ${route.person}`,
    meta: event.sender.name ? { name: event.sender.name } : undefined,
    sendPairingReply: (text) => room.gateway.send({ conversation: event.conversation.id, text }, asKey(`pair-${event.id}`)),
    onReplyError: (error) => log.error(`${route.person} was not told the code: ${error.message}`),
  });
  log.info(`${route.person} ${created ? "may be approved" : "waits for approval"}: openclaw pairing list ${CHANNEL}`);
}

/** What `openclaw pairing approve` needs of the channel. */
export function pairingAdapter(rooms) {
  return {
    text: {
      idLabel: "platform:workspace:user",
      message: "You are let in. Please write again.",
      // As it is: ids differ by case.
      normalizeAllowEntry: (entry) => entry.trim(),
      notify: ({ cfg, id, message }) =>
        rooms.of(cfg).gateway.send({ ...parseTarget(`user:${id}`), text: message }, `paired-${randomUUID()}`),
    },
  };
}
