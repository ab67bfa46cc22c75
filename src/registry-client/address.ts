import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { Fault } from "#base";

/** Where an address leads: this machine, its link (clouds keep their metadata there), a private network, or anywhere. */
export type AddressKind = "loopback" | "link-local" | "private" | "public";

export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
  readonly kind: AddressKind;
}

/** Finds the addresses of a name; tests put their own in its place. */
export type Resolve = (host: string) => Promise<readonly { address: string; family: number }[]>;

/** The special-purpose registries of RFC 6890, of which the first match counts. */
const special: readonly (readonly [kind: AddressKind, ...subnets: string[]])[] = [
  ["loopback", "127.0.0.0/8", "0.0.0.0/8", "::1/128", "::/128"],
  ["link-local", "169.254.0.0/16", "fe80::/10", "224.0.0.0/4", "ff00::/8", "255.255.255.255/32"],
  ["private", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24"],
  ["private", "198.18.0.0/15", "240.0.0.0/4", "fc00::/7", "fec0::/10"],
];

const lists = special.map(([kind, ...subnets]) => {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [network = "", bits] = subnet.split("/");
    list.addSubnet(network, Number(bits), network.includes(":") ? "ipv6" : "ipv4");
  }
  return { kind, list };
});

/**
 * The kind of a literal address; IPv4 inside IPv6 (mapped, NAT64, 6to4) counts as the IPv4 address
 * that it reaches.
 */
export function addressKind(address: string): AddressKind {
  const literal = embeddedIpv4(address) ?? address;
  const family = isIP(literal);
  if (family === 0) return "public";
  const found = lists.find(({ list }) => list.check(literal, family === 6 ? "ipv6" : "ipv4"));
  return found?.kind ?? "public";
}

function embeddedIpv4(address: string): string | undefined {
  if (isIP(address) !== 6) return undefined;
  const groups = expandIpv6(address);
  const dotted = (high = 0, low = 0) =>
    [high >> 8, high & 255, low >> 8, low & 255].map(String).join(".");
  const head = groups.slice(0, 6).join(",");
  const isMapped = head === "0,0,0,0,0,65535";
  const isCompatible = head === "0,0,0,0,0,0" && (groups[6] ?? 0) !== 0;
  const isNat64 = head === "100,65435,0,0,0,0";
  if (isMapped || isCompatible || isNat64) return dotted(groups[6], groups[7]);
  if (groups[0] === 0x2002) return dotted(groups[1], groups[2]);
  return undefined;
}

function expandIpv6(address: string): number[] {
  // The URL parser writes every spelling, dotted tails included, in hexadecimal groups.
  const [plain = ""] = address.split("%");
  const text = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
  const [head = "", tail] = text.split("::");
  const parse = (part: string) =>
    part === "" ? [] : part.split(":").map((each) => Number.parseInt(each, 16));
  const first = parse(head);
  const last = parse(tail ?? "");
  return [...first, ...Array<number>(Math.max(0, 8 - first.length - last.length)).fill(0), ...last];
}

/** Whether a host (without a port, brackets allowed) is this machine by its very name. */
export function isLoopbackHost(host: string): boolean {
  const name = unbracket(host).toLowerCase();
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    (isIP(name) !== 0 && addressKind(name) === "loopback")
  );
}

/** An IPv6 address as the system takes it, without the brackets of a URL. */
export function unbracket(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}

const systemResolve: Resolve = (host) => lookup(host, { all: true });

/** The addresses of a host in the order to try them; `unavailable` for a name without addresses. */
export async function resolveHost(host: string, resolve = systemResolve): Promise<Address[]> {
  const name = unbracket(host);
  const family = isIP(name);
  if (family !== 0) return [{ address: name, family: family as 4 | 6, kind: addressKind(name) }];
  try {
    const found = await resolve(name);
    if (found.length === 0) throw new Error("it has no address");
    return found.map(({ address, family: version }) => ({
      address,
      family: version === 6 ? 6 : 4,
      kind: addressKind(address),
    }));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const { code } = (error ?? {}) as { readonly code?: unknown };
    throw new Fault("unavailable", `cannot find the host ${name}: ${why}; check its name and DNS`, {
      about: name,
      cause: error,
      ...(typeof code === "string" && { errno: code.replace(/^DNS_/, "") }),
    });
  }
}
