import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/**
 * Whether a request is for this server by its Host header. A page of a stranger's site can
 * have its own name resolve to 127.0.0.1 (DNS rebinding): for the browser it is then of the
 * same origin as a registry on loopback and may push to it. An address cannot be bound
 * again, and a certificate is for its names only; so names are checked where plain HTTP is
 * spoken on loopback. A request without the header comes from no browser.
 */
export type HostCheck = (header: string | null) => boolean;

/** The check for a server at `address` that also has `names` (of a proxy before it). Resolves a host name. */
export async function hostCheck(options: {
  readonly host: string;
  readonly isTls: boolean;
  readonly names: readonly string[];
}): Promise<HostCheck> {
  const { host, isTls, names } = options;
  if (isTls || !(await isLoopback(host))) return () => true;
  const known = new Set([host, ...names].map(bareName));
  return (header) => {
    if (header === null) return true;
    const name = bareName(header.replace(/:\d*$/, ""));
    return known.has(name) || isLoopbackName(name) || isIP(name.replace(/^\[(.*)\]$/, "$1")) > 0;
  };
}

async function isLoopback(host: string): Promise<boolean> {
  if (isLoopbackName(bareName(host))) return true;
  const address = isIP(host)
    ? host
    : await lookup(host).then(
        (found) => found.address,
        () => "",
      );
  return address === "::1" || /^(?:::ffff:)?127\./i.test(address);
}

/** RFC 6761, 6.3: these never leave the machine. */
function isLoopbackName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}

function bareName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
