import { isIP } from "node:net";
import { Fault } from "#base";

/** A container's names and addresses. */
export interface HostsOptions {
  /** The container's own addresses; none without a network. */
  readonly addresses: readonly string[];
  /** Its names, the canonical one first: ["web.example.org", "web"]. One alone with dots gets its first part too. */
  readonly names: readonly string[];
  /** "NAME:ADDRESS" as Docker keeps them; the address may be IPv6, with or without brackets. */
  readonly extraHosts?: readonly string[];
  /** Whole lines for other containers. */
  readonly links?: readonly string[];
}

const fixed = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

/** hosts(5) of a container, line for line as Docker writes it. */
export function renderHosts(options: HostsOptions): string {
  const lines = [...fixed];
  for (const entry of options.extraHosts ?? []) {
    const { name, address } = parseExtraHost(entry);
    lines.push(`${address}\t${name}`);
  }
  lines.push(...(options.links ?? []));
  const names = ownNames(options.names);
  if (names.length > 0)
    for (const address of options.addresses) lines.push(`${address}\t${names.join(" ")}`);
  return `${lines.join("\n")}\n`;
}

/** One name alone with dots gets its first part too. */
export function ownNames(names: readonly string[]): readonly string[] {
  const [first = ""] = names;
  if (first === "") return [];
  const isOne = names.length === 1 && first.includes(".");
  return isOne ? [first, first.slice(0, first.indexOf("."))] : names;
}

/**
 * "db:10.0.0.1", "db:[::1]" or "db:::1"; `invalid` for any text that would break the lines of
 * hosts(5).
 */
export function parseExtraHost(entry: string): { name: string; address: string } {
  const at = entry.indexOf(":");
  const name = entry.slice(0, at);
  const address = entry.slice(at + 1).replace(/^\[(.*)\]$/, "$1");
  if (at < 1 || /[\s#]/.test(name) || isIP(address) === 0)
    throw new Fault("invalid", `bad extra host ${JSON.stringify(entry)}: use NAME:ADDRESS`, {
      about: entry,
    });
  return { name, address };
}
