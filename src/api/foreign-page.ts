import type { IncomingMessage } from "node:http";
import { hostname } from "node:os";
import { Fault, isServedHost } from "#base";
import type { OpenListener } from "./listener.ts";

/**
 * Refuses (`denied`) what the page of a stranger's site may have a browser send to an engine on
 * TCP: requests to a host name that is not this machine's (DNS rebinding), and requests from
 * another origin. Clients of the API send no Origin; a browser reaches no unix socket. Where TLS is
 * spoken, the certificate is for the engine's names only.
 */
export function refuseForeignPage(
  { headers }: Pick<IncomingMessage, "headers">,
  { kind, trust }: Pick<OpenListener, "kind" | "trust">,
): void {
  if (kind === "unix") return;
  const { host = null, origin } = headers;
  if (trust === "plain" && !isServedHost(host, [hostname()])) {
    throw new Fault(
      "denied",
      `the Host header ${host} names neither an address nor this machine: connect to localhost or 127.0.0.1`,
    );
  }
  const site = headers["sec-fetch-site"];
  const isForeign =
    (origin !== undefined && hostOf(origin) !== host) ||
    (site !== undefined && site !== "same-origin" && site !== "none");
  if (isForeign) {
    throw new Fault("denied", "pages of other sites may not send requests to the engine");
  }
}

function hostOf(origin: string): string | undefined {
  return /^https?:\/\/([^/]+)$/.exec(origin)?.[1];
}
