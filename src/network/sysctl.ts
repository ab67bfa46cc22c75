import { readFileSync, writeFileSync } from "node:fs";
import { Fault } from "#base";

/**
 * Gives a kernel setting a value: "net/ipv4/ip_forward". A setting that this kernel
 * lacks (IPv6) needs no switching off. Whether the value was another before.
 */
export function writeSysctl(name: string, value: string): boolean {
  const path = `/proc/sys/${name}`;
  try {
    if (readFileSync(path, "utf8").trim() === value) return false;
    writeFileSync(path, value);
    return true;
  } catch (cause) {
    const { code } = cause as { code?: string };
    if (code === "ENOENT") return false;
    throw new Fault("denied", `cannot set ${path} to ${value}: ${String(cause)}`, {
      about: path,
      cause,
    });
  }
}

/** The value of a kernel setting; "" where this kernel lacks it. */
export function readSysctl(name: string): string {
  try {
    return readFileSync(`/proc/sys/${name}`, "utf8").trim();
  } catch {
    return "";
  }
}
