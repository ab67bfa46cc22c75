/** Published ports over IPv6 among hosts that are network namespaces. */
import { expect, test } from "bun:test";
import { formatIp, Scope } from "#base";
import { type Fd, Nftables, NftBatch, nft } from "#kernel";
import { makeHost } from "../support/lan.ts";
import { dial, inside, type Namespace } from "../support/namespace.ts";
import { documented, publish, wanted } from "../support/published-host.ts";
import { eventually } from "../support/run-container.ts";
import { seenAs, whoAmI } from "../support/whoami.ts";

const ask = (netns: Namespace, host: string, port: number, protocol: "tcp" | "udp" = "tcp") =>
  seenAs(netns, { host, port, protocol });

/** The link-local address of an interface inside. */
async function linkLocal(netns: Fd, link: string): Promise<string> {
  const lines = (await inside(netns, "cat", "/proc/net/if_inet6")).split("\n");
  const line = lines.find((each) => each.startsWith("fe80") && each.endsWith(` ${link}`)) ?? "";
  return formatIp(Buffer.from(line.slice(0, 32), "hex"));
}

test("a container with IPv6 sees its clients' addresses as docs/ports.md says", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  await using engine = await publish(host, wanted(8080), "dual");
  const { web, near, far } = engine;
  using _server = await whoAmI(web.netns, 80);
  const { left } = host;
  const own = left.gateway6;
  const onLink = `${await linkLocal(host.netns, "lan1")}%eth0`;
  const clients: Readonly<Record<string, readonly [Namespace, string, string]>> = {
    "another machine": [left.netns, own, left.address6],
    "the host, by an address of its own": [host.netns, own, own],
    "the host, by ::1": [host.netns, "::1", "::1"],
    "a container of the same network": [near.netns, own, near.address6],
    "a container of another network": [far.netns, own, far.address6],
    "the container itself": [web.netns, own, web.address6],
    "another machine, by its link-local address": [left.netns, onLink, "fe80::"],
  };
  const found: Record<string, readonly string[]> = {};
  for (const [client, [netns, address, itself]] of Object.entries(clients)) {
    const name = (seen: string) =>
      seen === itself ? "its own" : seen === web.gateway ? "the bridge's" : seen;
    const seen = [await ask(netns, address, 8080), await ask(netns, address, 8080, "udp")];
    found[client] = seen.map(name);
  }
  const table = documented("client over IPv6");
  expect(Object.keys(table)).toEqual(Object.keys(clients));
  for (const [client, seen] of Object.entries(found))
    expect([client, ...seen]).toEqual([client, ...(table[client]?.slice(1, 3) ?? [])]);
  // Nothing but the published port is reachable, at the container's own address nothing at all.
  expect(await dial(left.netns, web.address6, 80)).toBe("failed");
  expect(await dial(left.netns, own, 80)).toBe("failed");
  // Over IPv4 it is as without IPv6.
  expect(await ask(left.netns, left.gateway, 8080)).toBe(left.address);
}, 600_000);

test("a container of IPv6 alone is reached over both versions, and its ports move with it", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  await using engine = await publish(host, wanted(8080), "six");
  const { web, near } = engine;
  const { left } = host;
  using _server = await whoAmI(web.netns, 80);
  expect(web.address).toBe("");
  expect(await ask(left.netns, left.gateway6, 8080)).toBe(left.address6);
  expect(await ask(left.netns, left.gateway, 8080)).toBe(web.gateway6);
  expect(await ask(left.netns, left.gateway, 8080, "udp")).toBe(web.gateway6);
  using _second = await whoAmI(near.netns, 80);
  _server[Symbol.dispose]();
  engine.move();
  const moved = async () =>
    (await ask(left.netns, left.gateway6, 8080)) === left.address6 || undefined;
  await eventually(moved, "the ports to move");
  expect(await ask(left.netns, left.gateway, 8080)).toBe(near.gateway6);
}, 600_000);

test("a firewall of IPv6 holds for ports, those of IPv4 stay translated", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  const { left, netns } = host;
  const filter = new Nftables({ netns, family: "ip6" });
  const place = { table: "wall", chain: "in" };
  const from = { address: left.address6, prefixLength: 128 };
  await filter.commit(
    new NftBatch("ip6")
      .addTable("wall")
      .addBaseChain({ table: "wall", name: "in", type: "filter", hook: "input", priority: 0 })
      .addRule({ ...place, expressions: [nft.ipSource(from), nft.drop()] }),
  );
  await using engine = await publish(host, wanted(8080), "dual");
  using _server = await whoAmI(engine.web.netns, 80);
  expect(await dial(left.netns, left.gateway6, 8080)).toBe("failed");
  expect(await ask(host.right.netns, host.right.gateway6, 8080)).toBe(engine.web.gateway);
  expect(await ask(left.netns, left.gateway, 8080)).toBe(left.address);
  await filter.commit(new NftBatch("ip6").deleteTable("wall"));
  const translated = async () =>
    (await ask(left.netns, left.gateway6, 8080)) === left.address6 || undefined;
  await eventually(translated, "the translation");
}, 600_000);
