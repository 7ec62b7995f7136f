import { defineChannelPluginEntry } from "openclaw/plugin-sdk/channel-core";

import { channelPlugin } from "./src/channel.js";
import { Rooms } from "./src/room.js";

const rooms = new Rooms();

export default defineChannelPluginEntry({
  id: "aegis",
  name: "Channel Gateway",
  description: "Slack, Microsoft Teams and Discord through a shared gateway that holds the platform tokens.",
  plugin: channelPlugin(rooms),
  setRuntime: (runtime) => rooms.setRuntime(runtime),
  registerFull: (api) => api.on("gateway_start", () => rooms.hostStarted()),
});
