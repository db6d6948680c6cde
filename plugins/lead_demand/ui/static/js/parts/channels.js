// Names of channels, and which of them decisions need.
import { has, say } from "../lib/language.js";

const DECIDING = new Set(["google_ads", "leads", "partner_capacity"]);

export function channelName(channel) {
  return has(`channel.${channel}`) ? say(`channel.${channel}`) : channel.replaceAll("_", " ");
}

/** Whether a decision waits for this channel. */
export function isDeciding(source) {
  return DECIDING.has(source.channel) || source.is_paid;
}
