import { Fault } from "#base";
import { type AddressKind, isLoopbackHost } from "./address.ts";
import { type Attempt, showText } from "./response-fault.ts";

/**
 * Where a registry may send us, on to another place or for a token: http(s) only, never
 * from https to http, and to an internal address only if the registry has one of the
 * same kind or is on this machine. Otherwise a registry could make an engine inside a
 * network ask that network's own services (SSRF), as the metadata of its cloud.
 */
export function checkTarget(attempt: Attempt, from: URL, target: string): URL {
  const refuse = (why: string): never => {
    throw new Fault(
      "denied",
      `cannot ${attempt.action}: ${attempt.host} sends us to ${showText(target.replace(/[?#].*$/s, ""), 200)}, ${why}`,
      { about: attempt.host },
    );
  };
  const url = URL.canParse(target, from.href)
    ? new URL(target, from.href)
    : refuse("which is not a URL");
  if (!/^https?:$/.test(url.protocol)) refuse("which is neither http nor https");
  if (from.protocol === "https:" && url.protocol === "http:") {
    refuse("which is not encrypted, unlike the registry itself");
  }
  if (url.username !== "" || url.password !== "") refuse("which carries a password");
  return url;
}

/** To be asked with the kind of each address that a target has, before it is connected to. */
export function guardFor(
  attempt: Attempt,
  origin: URL,
  home: AddressKind,
  { target, isProxied = false }: { readonly target: URL; readonly isProxied?: boolean },
) {
  // Such a name may do without TLS; one that a name server leads elsewhere would get logins in the clear.
  const isOurs = isLoopbackHost(origin.hostname) && target.host === origin.host;
  return (kind: AddressKind): void => {
    if (isOurs && kind !== "loopback" && !isProxied) {
      throw new Fault(
        "denied",
        `cannot ${attempt.action}: ${origin.host} is a name of this machine, but leads to a ${kind} address`,
        { about: attempt.host },
      );
    }
    if (target.host === origin.host || kind === "public" || kind === home) return;
    const isLocal = home === "loopback" || isLoopbackHost(origin.hostname);
    if (isLocal && kind !== "link-local") return;
    throw new Fault(
      "denied",
      `cannot ${attempt.action}: ${attempt.host} sends us to ${target.host}, which is an internal (${kind}) address`,
      { about: attempt.host },
    );
  };
}
