import { isIPv6 } from "node:net";
import { Fault } from "#base";
import type { NetworkCreateBody } from "#wire";

interface IpamFlags {
  readonly subnet: readonly string[];
  readonly "ip-range": readonly string[];
  readonly gateway: readonly string[];
  readonly "aux-address": Readonly<Record<string, string>>;
}

type Config = NonNullable<NonNullable<NetworkCreateBody["IPAM"]>["Config"]>;

/** The pools that the flags name: each range, gateway and address belongs to the subnet that contains it. `invalid` in docker's words. */
export function ipamConfig(flags: IpamFlags): Config {
  const { subnet: subnets, "ip-range": ranges, gateway: gateways } = flags;
  if (subnets.length < ranges.length || subnets.length < gateways.length)
    throw new Fault("invalid", "every ip-range or gateway must have a corresponding subnet");
  const pools = new Map<string, { -readonly [K in keyof Config[number]]: Config[number][K] }>();
  for (const subnet of subnets) {
    for (const other of pools.keys())
      if (isPart(subnet, firstOf(other)) || isPart(other, firstOf(subnet)))
        throw new Fault("invalid", "multiple overlapping subnet configuration is not supported");
    pools.set(subnet, { Subnet: subnet, AuxiliaryAddresses: {} });
  }
  const poolOf = (address: string, what: string) => {
    const found = [...pools].find(([subnet]) => isPart(subnet, firstOf(address)));
    if (!found) throw new Fault("invalid", `no matching subnet for ${what} ${address}`);
    return found[1];
  };
  for (const range of ranges) {
    const pool = poolOf(range, "range");
    if (pool.IPRange)
      throw new Fault(
        "invalid",
        `cannot configure multiple ranges (${range}, ${pool.IPRange}) on the same subnet (${pool.Subnet})`,
      );
    pool.IPRange = range;
  }
  for (const gateway of gateways) {
    const pool = poolOf(gateway, "gateway");
    if (pool.Gateway)
      throw new Fault(
        "invalid",
        `cannot configure multiple gateways (${gateway}, ${pool.Gateway}) for the same subnet (${pool.Subnet})`,
      );
    pool.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(flags["aux-address"])) {
    const pool = poolOf(address, "aux-address");
    pool.AuxiliaryAddresses = { ...pool.AuxiliaryAddresses, [name]: address };
  }
  return [...pools.values()];
}

function firstOf(prefix: string): string {
  return prefix.split("/")[0] ?? "";
}

/** Whether a subnet contains an address; the engine tells what is wrong with either. */
function isPart(subnet: string, address: string): boolean {
  const [base = "", length = ""] = subnet.split("/");
  const [a, b] = [bitsOf(base), bitsOf(address)];
  if (a === undefined || b === undefined || !/^\d+$/.test(length)) return false;
  return a.length === b.length && a.startsWith(b.slice(0, Number(length)));
}

function bitsOf(address: string): string | undefined {
  if (/^\d+(\.\d+){3}$/.test(address))
    return address
      .split(".")
      .map((part) => Number(part).toString(2).padStart(8, "0"))
      .join("");
  if (!isIPv6(address)) return undefined;
  const [head = "", tail] = address.split("::");
  const words = (text: string) => text.split(":").filter((word) => word !== "");
  const [left, right] = [words(head), words(tail ?? "")];
  const middle = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...middle, ...right]
    .map((word) => Number.parseInt(word, 16).toString(2).padStart(16, "0"))
    .join("");
}
