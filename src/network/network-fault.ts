import { Fault, isFault } from "#base";
import {
  delayPackets,
  type Fd,
  type Link,
  Nftables,
  NftBatch,
  nft,
  RouteTable,
  removeDelay,
} from "#kernel";
import { parseAddress } from "./subnet.ts";

/** In the container's own namespace, so that it goes with the container. */
const TABLE = "thimble-fault";
const MILLIONTHS_PER_PERCENT = 10_000;
const LOOPBACK = "lo";

/** What is to go wrong in a container's network. */
export interface NetworkFault {
  /** How many of its packets are lost, of those that it sends and of those that it gets; percent. */
  readonly lossPercent: number;
  /** How much later its packets are sent. */
  readonly delayMs: number;
  /** Addresses that it exchanges nothing with. */
  readonly partition: readonly string[];
}

/**
 * Makes these things go wrong on all interfaces that a namespace has but `lo`, instead of those before.
 * It ends with the namespace. `unsupported` for what the kernel lacks; nothing has changed then.
 */
export async function setNetworkFault(netns: Fd, fault: NetworkFault): Promise<void> {
  const links = (await new RouteTable({ netns }).links()).filter(({ name }) => name !== LOOPBACK);
  await setDelay(netns, links, fault.delayMs);
  const batch = new NftBatch("netdev").replaceTable(TABLE);
  for (const { name } of links) addChains(batch, name, fault);
  try {
    await new Nftables({ netns }).commit(batch);
  } catch (error) {
    if (fault.delayMs > 0) await setDelay(netns, links, 0);
    throw lacking(error, "loss and partition", "nf_tables with hooks at interfaces, Linux 5.16");
  }
}

/** Everything goes right again; does nothing where nothing goes wrong. */
export async function clearNetworkFault(netns: Fd): Promise<void> {
  const links = (await new RouteTable({ netns }).links()).filter(({ name }) => name !== LOOPBACK);
  await setDelay(netns, links, 0);
  try {
    await new Nftables({ netns }).commit(new NftBatch("netdev").deleteTable(TABLE));
  } catch (error) {
    if (!isFault(error, "not_found")) throw error;
  }
}

function addChains(
  batch: NftBatch,
  device: string,
  { lossPercent, partition }: NetworkFault,
): void {
  for (const [hook, match] of [
    ["ingress", nft.ipSource],
    ["egress", nft.ipDestination],
  ] as const) {
    const chain = `${hook}-${device}`;
    batch.addDeviceChain(TABLE, chain, { device, hook });
    for (const address of partition) {
      const version = parseAddress(address)?.version ?? 4;
      const other = match({ address, prefixLength: version === 4 ? 32 : 128 });
      const expressions = [nft.etherType(version), other, nft.counter(), nft.drop()];
      batch.addRule({ table: TABLE, chain, expressions });
    }
    const millionths = Math.round(lossPercent * MILLIONTHS_PER_PERCENT);
    if (millionths > 0)
      batch.addRule({
        ...{ table: TABLE, chain },
        expressions: [nft.chance(millionths), nft.counter(), nft.drop()],
      });
  }
}

async function setDelay(
  netns: Fd,
  links: readonly Pick<Link, "index" | "name">[],
  delayMs: number,
): Promise<void> {
  const table = new RouteTable({ netns });
  for (const { index, name } of links) {
    try {
      await table.apply(removeDelay(index));
    } catch (error) {
      // It has none.
      if (!isFault(error, "not_found") && !isFault(error, "invalid")) throw error;
    }
    if (delayMs === 0) continue;
    try {
      await table.apply(delayPackets(index, delayMs));
    } catch (cause) {
      if (!isFault(cause, "exists")) throw lacking(cause, "a delay", "the module sch_netem");
      const message = `the interface ${name} cannot have a delay: it has a queue already, as one with a rate has`;
      throw new Fault("conflict", message, { about: name, cause });
    }
  }
}

function lacking(error: unknown, what: string, module: string): unknown {
  const isMissing = error instanceof Fault && ["EOPNOTSUPP", "ENOENT"].includes(error.errno ?? "");
  if (!isMissing) return error;
  return new Fault("unsupported", `this kernel cannot make ${what}: it lacks ${module}`, {
    cause: error,
  });
}
