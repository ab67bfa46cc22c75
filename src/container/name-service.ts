import { isIP } from "node:net";
import { Fault } from "#base";

/** The address of a name server; anything else is `invalid`. */
export function checkAddress(address: string): void {
  if (isIP(address) !== 0) return;
  throw new Fault("invalid", `bad nameserver address: ${address}`, { about: address });
}

/** "NAME:ADDRESS", where the address may be "host-gateway" or stand in brackets. */
export function checkExtraHost(entry: string): void {
  const colon = entry.indexOf(":");
  const written = entry.slice(colon + 1);
  const address = written.replace(/^\[(.*)\]$/, "$1");
  if (colon < 1 || /\s/.test(entry) || address === "")
    throw new Fault("invalid", `bad format for add-host: "${entry}"`, { about: entry });
  if (address !== "host-gateway" && isIP(address) === 0)
    throw new Fault("invalid", `invalid IP address in add-host: "${written}"`, { about: entry });
}

/** An option or a search domain of resolv.conf(5), which is one word of a line; anything else is `invalid`. */
export function checkResolverWord(word: string): void {
  if (!/[\p{Cc}\s]/u.test(word)) return;
  throw new Fault(
    "invalid",
    `bad option or search domain for DNS: ${JSON.stringify(word)}; white space and control characters are not allowed`,
    { about: word },
  );
}
