import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { isLoopbackAddress, isLoopbackName, isServedHost } from "#base";

/**
 * Whether a request is for this server by its Host header: names are checked where plain HTTP is
 * spoken on loopback, since a certificate is for its names only.
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
  const known = [host, ...names];
  return (header) => isServedHost(header, known);
}

async function isLoopback(host: string): Promise<boolean> {
  if (isLoopbackName(host)) return true;
  const address = isIP(host)
    ? host
    : await lookup(host).then(
        (found) => found.address,
        () => "",
      );
  return isLoopbackAddress(address);
}
