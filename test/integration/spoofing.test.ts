/** What containers of a network make each other, the bridge and the host believe: nothing about others' addresses. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Scope } from "#base";
import { type Endpoint, type EndpointWish, type Networks, openNetworks } from "#network";
import { openState } from "#state";
import { bridgeNames } from "../../src/network/bridge.ts";
import { firstWish } from "../../src/network/endpoint.ts";
import { linkLocalOf } from "../../src/network/spoof-guard.ts";
import {
  arpAnswer,
  broadcast,
  datagram,
  ethernet,
  nearestBridge,
  neighbourAdvert,
  routerAdvert,
  sendFrames,
  tagged,
} from "../support/frames.ts";
import { inside } from "../support/namespace.ts";
import { hasNft } from "../support/ruleset.ts";
import { eventually } from "../support/run-container.ts";
import { hear } from "../support/whoami.ts";

const PORT = 9000;
const everyone = "ff02::1";
/** A type that nobody takes (IEEE 802, local experiments). */
const EXPERIMENT = 0x88b5;
const LLDP = 0x88cc;
const runRoot = `/tmp/spoofing-${process.pid}`;
const { table } = bridgeNames(runRoot);
const fixed = (subnet: string) => ({ subnet, range: "", gateway: "", reserved: {} });

const scope = new Scope();
let networks: Networks;
let bridge = "";
let attacker: Endpoint;
let trusted: Endpoint;
let victim: Endpoint;
let other: Endpoint;
let heard: Awaited<ReturnType<typeof hear>>;

async function attach(wish: Partial<EndpointWish> = {}, network = "front"): Promise<Endpoint> {
  const endpoint = await networks.attach(network, { ...firstWish, ...wish });
  scope.defer(() => networks.release(endpoint));
  return endpoint;
}

beforeAll(async () => {
  const state = scope.use(openState(":memory:"));
  networks = await openNetworks({ state, runRoot, instanceId: runRoot });
  scope.defer(() => networks.close({ removeBridges: true }));
  const { bridge: name } = await networks.create({ name: "front", hasIpv6: true });
  bridge = name;
  [attacker, trusted, victim, other] = await Promise.all([
    attach(),
    attach({ isTrusted: true }),
    attach(),
    attach(),
  ]);
  heard = scope.use(await hear(victim.netns, PORT));
});

afterAll(() => scope[Symbol.asyncDispose]());

/** What `from` sends gets to the victim in its order, the last of it surely. */
async function sendAndSettle(from: Endpoint, frames: readonly Buffer[]): Promise<string> {
  const packet = { source: from.address, destination: victim.address };
  const last = datagram({ mac: from.mac, to: victim.mac }, packet, PORT, "the end");
  await sendFrames(from.netns, from.link, [...frames, last]);
  return await heard.until("the end");
}

/** What the victim knows as the MAC address of another. */
async function neighbour(address: string): Promise<string> {
  const text = await inside(victim.netns, "busybox", "ip", "neigh", "show");
  const line = text.split("\n").find((each) => each.startsWith(`${address} `)) ?? "";
  return /lladdr (\S+)/.exec(line)?.[1] ?? "";
}

function pingFrom({ netns }: Endpoint, address: string): Promise<string> {
  return inside(netns, "busybox", "ping", "-c", "1", "-W", "5", address);
}

async function ping(...addresses: readonly string[]): Promise<void> {
  for (const address of addresses)
    expect(await pingFrom(victim, address)).toContain("1 packets received");
}

/** The victim asks who is where, as if nobody had lied to it. */
async function forgetNeighbours(): Promise<void> {
  await inside(victim.netns, "busybox", "ip", "neigh", "flush", "dev", "eth0");
}

/** The port of the bridge behind which it takes a MAC address to be: struct __fdb_entry of linux/if_bridge.h. */
function portOf(mac: string): number | undefined {
  const table = readFileSync(`/sys/class/net/${bridge}/brforward`);
  for (let at = 0; at < table.length; at += 16)
    if (table.toString("hex", at, at + 6) === mac.replaceAll(":", "")) return table[at + 6];
  return undefined;
}

interface Attack {
  /** By an endpoint that uses its own MAC address unless the attack is about that. */
  readonly frames: (from: Endpoint) => readonly Buffer[];
  /** Whether those of an endpoint have had an effect, given what the victim heard since. */
  readonly works: (from: Endpoint, heard: string) => Promise<boolean> | boolean;
}

const claimsIpv4 = (from: Endpoint) =>
  arpAnswer({ mac: from.mac, to: victim.mac }, { mac: from.mac, address: other.address });
const believesIpv4 = async ({ mac }: Endpoint) => (await neighbour(other.address)) === mac;

const attacks: Readonly<Record<string, Attack>> = {
  "an answer of ARP for another's address": {
    frames: (from) => [claimsIpv4(from)],
    works: believesIpv4,
  },
  "an answer of ARP for another's address to all": {
    frames: ({ mac }) => [arpAnswer({ mac, to: broadcast }, { mac, address: other.address })],
    works: believesIpv4,
  },
  "an answer of ARP that says another MAC address than its frame": {
    frames: ({ mac, address }) => [
      arpAnswer({ mac, to: victim.mac }, { mac: "02:00:00:00:00:99", address }),
    ],
    works: async ({ address }) => (await neighbour(address)) === "02:00:00:00:00:99",
  },
  "an answer of ARP behind two tags of VLAN 0": {
    frames: (from) => [tagged(claimsIpv4(from))],
    works: believesIpv4,
  },
  "an advertisement of neighbour discovery for another's address": {
    frames: ({ mac, address6 }) => [
      neighbourAdvert(
        { mac, to: victim.mac },
        { source: address6, destination: victim.address6, target: other.address6 },
      ),
    ],
    works: async ({ mac }) => (await neighbour(other.address6)) === mac,
  },
  "an advertisement of neighbour discovery for the bridge's address": {
    frames: ({ mac }) => [
      neighbourAdvert(
        { mac, to: victim.mac },
        { source: linkLocalOf(mac), destination: everyone, target: victim.gateway6 },
      ),
    ],
    works: async ({ mac }) => (await neighbour(victim.gateway6)) === mac,
  },
  "an advertisement of a router": {
    frames: ({ mac }) => [
      routerAdvert({ mac, to: victim.mac }, { source: linkLocalOf(mac), destination: everyone }),
    ],
    works: async ({ mac }) =>
      (await inside(victim.netns, "cat", "/proc/net/ipv6_route")).includes(
        linkLocalOf(mac)
          .split(":")
          .slice(-4)
          .map((each) => each.padStart(4, "0"))
          .join(""),
      ),
  },
  "a packet from another's address of IPv4": {
    frames: ({ mac }) => [
      datagram(
        { mac, to: victim.mac },
        { source: other.address, destination: victim.address },
        PORT,
        "forged",
      ),
    ],
    works: (_, text) => text.includes("forged"),
  },
  "a packet from another's address of IPv6": {
    frames: ({ mac }) => [
      datagram(
        { mac, to: victim.mac },
        { source: other.address6, destination: victim.address6 },
        PORT,
        "forged",
      ),
    ],
    works: (_, text) => text.includes("forged"),
  },
  "a packet from its own address under another's MAC address": {
    frames: ({ address }) => [
      datagram(
        { mac: other.mac, to: victim.mac },
        { source: address, destination: victim.address },
        PORT,
        "forged",
      ),
    ],
    works: (_, text) => text.includes("forged"),
  },
  "a frame of another's MAC address that the bridge learns from": {
    frames: () => [ethernet({ mac: other.mac }, EXPERIMENT, Buffer.alloc(50))],
    works: ({ mac }) => portOf(other.mac) === portOf(mac),
  },
};

describe("a container with NET_RAW and NET_ADMIN", () => {
  for (const [name, { frames, works }] of Object.entries(attacks))
    test(`has no effect with ${name}`, async () => {
      // The victim would believe a router.
      await inside(victim.netns, "busybox", "sysctl", "-w", "net.ipv6.conf.eth0.accept_ra=1");
      await forgetNeighbours();
      await ping(other.address, other.address6, victim.gateway6, attacker.address, trusted.address);
      const text = await sendAndSettle(attacker, frames(attacker));
      expect(await works(attacker, text)).toBe(false);
      await ping(other.address, other.address6, victim.gateway6);
      // The same has an effect from one that may send under any address: ARP's locktime is a second.
      let hasWorked = false;
      for (const end = Date.now() + 60_000; !hasWorked && Date.now() < end; )
        hasWorked = await works(trusted, await sendAndSettle(trusted, frames(trusted)));
      expect(hasWorked).toBe(true);
    });

  test("teaches the bridge nothing by frames that are for the bridge itself, trusted or not", async () => {
    await forgetNeighbours();
    await ping(other.address);
    for (const from of [attacker, trusted]) {
      await sendAndSettle(from, [
        ethernet({ mac: other.mac, to: nearestBridge }, LLDP, Buffer.alloc(50)),
      ]);
      expect(portOf(other.mac)).not.toBe(portOf(from.mac));
    }
  });
});

test("what is dropped is counted for the container that sent it, and for no other", async () => {
  const [from, next] = [await attach(), await attach()];
  const forged = { source: other.address, destination: victim.address };
  const frames = ["one", "two", "three"].map((text) =>
    datagram({ mac: from.mac, to: victim.mac }, forged, PORT, text),
  );
  await sendAndSettle(next, []);
  await sendAndSettle(from, frames);
  expect(await networks.refusedFrames(from)).toMatchObject({ packets: 3n });
  expect((await networks.refusedFrames(from))?.bytes).toBeGreaterThan(3n * 20n);
  expect(await networks.refusedFrames(next)).toEqual({ packets: 0n, bytes: 0n });
  expect(await networks.refusedFrames(trusted)).toBeUndefined();
});

/** Whether the victim hears a packet that an endpoint sends from another's address. */
async function canForge(from: Endpoint): Promise<boolean> {
  const { frames } = attacks["a packet from another's address of IPv4"] ?? { frames: () => [] };
  return (await sendAndSettle(from, frames(from))).includes("forged");
}

test("addresses that were asked for, and those of several networks, are an endpoint's own", async () => {
  await networks.create({
    name: "back",
    hasIpv6: true,
    subnets: [fixed("10.41.7.0/24"), fixed("fd41:7::/64")],
  });
  const [first, second] = await Promise.all([
    attach({ address: "10.41.7.7", address6: "fd41:7::77", mac: "02:42:0a:29:07:07" }, "back"),
    attach(),
  ]);
  const joined = await networks.join("back", second.netns, { link: "eth1", isGateway: false });
  for (const address of [
    first.address,
    first.address6,
    first.gateway,
    first.gateway6,
    victim.address,
  ])
    expect(await pingFrom(second, address)).toContain("1 packets received");
  for (const address of [joined.address, joined.address6])
    expect(await pingFrom(first, address)).toContain("1 packets received");
  networks.release(joined);
});

test("a container sends under its address in another network, until it leaves that", async () => {
  await networks.create({ name: "side", subnets: [fixed("10.41.8.0/24")] });
  await inside(victim.netns, "busybox", "sysctl", "-w", "net.ipv4.conf.all.rp_filter=0");
  const one = await attach();
  const joined = await networks.join("side", one.netns, { link: "eth1", isGateway: false });
  const packet = { source: joined.address, destination: victim.address };
  const frame = datagram({ mac: one.mac, to: victim.mac }, packet, PORT, "as the other");
  const isHeard = async () => (await sendAndSettle(one, [frame])).includes("as the other");
  expect(await isHeard()).toBe(false);
  await networks.shareAddresses([one, joined]);
  expect(await isHeard()).toBe(true);
  await networks.leave(one.netns, joined);
  await eventually(async () => !(await isHeard()) || undefined, "the end of its right");
});

test("a router's advertisements count neither for the host's bridge nor for containers", async () => {
  const setting = "net/ipv6/conf";
  expect(readFileSync(`/proc/sys/${setting}/${bridge}/accept_ra`, "utf8").trim()).toBe("0");
  const path = `/proc/sys/${setting}/eth0/accept_ra`;
  expect(await inside(attacker.netns, "cat", path)).toBe("0");
});

test("a network that was made so lets its containers use any address", async () => {
  const options = { "thimble.spoof_check": "false" };
  await networks.create({ name: "open", options });
  const [router, far] = [await attach({}, "open"), await attach({}, "open")];
  const heardThere = scope.use(await hear(far.netns, PORT));
  const packet = { source: "192.0.2.7", destination: far.address };
  const addresses = { mac: router.mac, to: far.mac };
  await inside(far.netns, "busybox", "sysctl", "-w", "net.ipv4.conf.all.rp_filter=0");
  await sendFrames(router.netns, "eth0", [datagram(addresses, packet, PORT, "forwarded")]);
  expect(await heardThere.until("forwarded")).toContain("forwarded");
});

test.skipIf(!hasNft)(
  "rules that another program removed are back at once, and those of an endpoint go with it [needs nft]",
  async () => {
    const nft = async (...words: string[]) => await Bun.$`nft ${words}`.text();
    await nft("delete", "table", "bridge", table);
    const isBack = async () =>
      (await nft("list", "tables")).includes(`bridge ${table}`) || undefined;
    await eventually(isBack, "the table");
    expect(await canForge(attacker)).toBe(false);
    const passing = await networks.attach("front");
    const isKnown = async () => (await nft("list", "table", "bridge", table)).includes(passing.mac);
    expect(await isKnown()).toBe(true);
    networks.release(passing);
    await eventually(async () => !(await isKnown()) || undefined, "the end of its rules");
  },
);

test.skipIf(!hasNft)(
  "a container that runs on from an earlier life of the engine is still kept to its addresses [needs nft]",
  async () => {
    await using inner = new Scope();
    const state = inner.use(openState(":memory:"));
    const runRoot = `/tmp/spoofing-${process.pid}-later`;
    const options = { state, runRoot, instanceId: runRoot };
    const early = await openNetworks(options);
    const [from, to] = [await early.attach("bridge"), await early.attach("bridge")];
    await early.close({ removeBridges: false });
    await Bun.$`nft delete table bridge ${bridgeNames(runRoot).table}`;
    const later = await openNetworks(options);
    inner.defer(() => later.close({ removeBridges: true }));
    for (const endpoint of [from, to]) later.adopt(endpoint);
    await later.ready("bridge");
    await using listener = await hear(to.netns, PORT);
    const addresses = { mac: from.mac, to: to.mac };
    const send = (source: string, text: string) =>
      datagram(addresses, { source, destination: to.address }, PORT, text);
    await sendFrames(from.netns, "eth0", [
      send("192.0.2.7", "forged"),
      send(from.address, "the end"),
    ]);
    expect(await listener.until("the end")).not.toContain("forged");
    for (const endpoint of [from, to]) later.release(endpoint);
  },
);
