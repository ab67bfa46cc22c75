import { hostname, networkInterfaces } from "node:os";

/** Under which names a server that listens on `host` is reached: that, this machine's name and addresses where it listens on all, and the loopback. */
export function namesFor(host: string): string[] {
  const loopback = ["localhost", "127.0.0.1", "::1"];
  if (host !== "0.0.0.0" && host !== "::" && host !== "") return [...new Set([host, ...loopback])];
  const addresses = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ family, internal }) => !internal && (family === "IPv4" || host !== "0.0.0.0"))
    .map(({ address }) => address)
    .filter((address) => !address.includes("%") && !address.startsWith("fe80:"));
  const own = hostname().toLowerCase();
  const name = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(own) ? [own] : [];
  return [...new Set([...name, ...loopback, ...addresses])];
}
