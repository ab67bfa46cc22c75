import { hostname as hostHostname } from "node:os";
import { shortId } from "#base";
import { networkModeOf } from "#container";
import type { ContainerRecord } from "./container-record.ts";

/** The name the container has: its own, else its short id, or the host's where it shares the host's. */
export function hostnameOf(record: ContainerRecord): string {
  if (record.config.Hostname !== "") return record.config.Hostname;
  const isHosts = networkModeOf(record.host).kind === "host" || record.host.UTSMode === "host";
  return isHosts ? hostHostname() : shortId(record.id);
}
