/** Published ports among hosts that are network namespaces: who reaches them, and as whom. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Scope } from "#base";
import type { Fd } from "#kernel";
import type { WantedPort } from "#network";
import { type Host, makeHost } from "../support/lan.ts";
import { enter } from "../support/namespace.ts";
import { seenAs, whoAmI } from "../support/whoami.ts";

interface Place {
  readonly address: string;
  readonly gateway: string;
  readonly netns: string;
}

interface Engine extends AsyncDisposable {
  readonly web: Place;
  readonly near: Place;
  readonly far: Place;
}

let opened = 0;

async function publish(host: Host, ports: readonly WantedPort[]): Promise<Engine> {
  const script = `${import.meta.dirname}/../support/port-host.ts`;
  const runRoot = `/tmp/ports-${process.pid}-${opened++}`;
  const command = enter(host.netns, process.execPath, script, runRoot, JSON.stringify(ports));
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  return {
    ...JSON.parse(new TextDecoder().decode(value)),
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      expect(await child.exited).toBe(0);
    },
  };
}

const wanted = (hostPort: number, hostIp = "", containerPort = 80): readonly WantedPort[] =>
  (["tcp", "udp"] as const).map((protocol) => ({
    ...{ protocol, containerPort, hostIp },
    range: { first: hostPort, last: hostPort },
  }));

const ask = (netns: Fd | string, host: string, port: number, protocol: "tcp" | "udp" = "tcp") =>
  seenAs(netns, { host, port, protocol });

/** The table of docs/ports.md: who a container takes its clients for. */
function documented(): Readonly<Record<string, readonly string[]>> {
  const text = readFileSync(join(import.meta.dirname, "../../docs/ports.md"), "utf8");
  const rows = text.split("\n").filter((line) => /^\| (?!client )[a-z]/.test(line));
  const cells = rows.map((row) => row.split("|").map((cell) => cell.trim()));
  return Object.fromEntries(cells.map(([, from = "", ...rest]) => [from, rest.slice(0, 3)]));
}

test("a container sees its clients' addresses as docs/ports.md says", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  await using engine = await publish(host, wanted(8080));
  const { web, near, far } = engine;
  using _server = await whoAmI(web.netns, 80);
  const own = host.left.gateway;
  const clients: Readonly<Record<string, readonly [Fd | string, string, string]>> = {
    "another machine": [host.left.netns, own, host.left.address],
    "the host, by an address of its own": [host.netns, own, own],
    "the host, by 127.0.0.1": [host.netns, "127.0.0.1", "127.0.0.1"],
    "the host, by ::1": [host.netns, "::1", "::1"],
    "a container of the same network": [near.netns, own, near.address],
    "a container of another network": [far.netns, own, far.address],
    "the container itself": [web.netns, own, web.address],
  };
  const found: Record<string, readonly string[]> = {};
  for (const [client, [netns, address, itself]] of Object.entries(clients)) {
    const name = (seen: string) =>
      seen === itself ? "its own" : seen === web.gateway ? "the bridge's" : seen;
    const seen = [await ask(netns, address, 8080), await ask(netns, address, 8080, "udp")];
    found[client] = seen.map(name);
  }
  const table = documented();
  expect(Object.keys(table)).toEqual([...Object.keys(clients), "anyone, where a firewall filters"]);
  for (const [client, seen] of Object.entries(found))
    expect([client, ...seen]).toEqual([client, ...(table[client]?.slice(1, 3) ?? [])]);
}, 60_000);
