import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { PortProtocol } from "./port-contract.ts";

/** Of /proc/net/tcp (proc_pid_net(5)): a socket that listens; UDP has no such state. */
const TCP_LISTEN = "0A";

/** The process that has a port of this host, as "process 812 (nginx)"; "" when none is found. */
export function portHolder(protocol: PortProtocol, port: number): string {
  const inodes = new Set(socketInodes(protocol, port).map((inode) => `socket:[${inode}]`));
  if (inodes.size === 0) return "";
  for (const pid of entries("/proc").filter((name) => /^\d+$/.test(name))) {
    const holds = entries(`/proc/${pid}/fd`).some((fd) =>
      inodes.has(target(`/proc/${pid}/fd/${fd}`)),
    );
    if (holds) return `process ${pid} (${contents(`/proc/${pid}/comm`).trim()})`;
  }
  return "";
}

function socketInodes(protocol: PortProtocol, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return [protocol, `${protocol}6`].flatMap((name) =>
    contents(`/proc/net/${name}`)
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(
        ([, local, , state]) =>
          local?.endsWith(`:${hex}`) && (protocol !== "tcp" || state === TCP_LISTEN),
      )
      .flatMap((fields) => fields[9] ?? []),
  );
}

/** Processes end while they are looked at. */
function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function target(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function contents(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
