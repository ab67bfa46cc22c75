import { isIP } from "node:net";

/**
 * Whether a request is for a server on loopback by its Host header (null: absent). A page of a
 * stranger's site can have its own name resolve to 127.0.0.1 (DNS rebinding): for the browser it is
 * then of the same origin as the server. An address cannot be bound again, so addresses, names of
 * loopback and `names` pass. A request without the header comes from no browser.
 */
export function isServedHost(header: string | null, names: readonly string[]): boolean {
  if (header === null) return true;
  const name = bareName(header.replace(/:\d*$/, ""));
  if (isLoopbackName(name) || isIP(name.replace(/^\[(.*)\]$/, "$1")) > 0) return true;
  return names.some((each) => bareName(each) === name);
}

/** RFC 6761, 6.3: these never leave the machine. */
export function isLoopbackName(name: string): boolean {
  const bare = bareName(name);
  return bare === "localhost" || bare.endsWith(".localhost");
}

/** Whether only this machine reaches the address. */
export function isLoopbackAddress(address: string): boolean {
  return address === "::1" || /^(?:::ffff:)?127\./i.test(address);
}

function bareName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
