/** The resolver of containers, asked from network namespaces that stand for containers. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { Readable } from "node:stream";
import { openHelper, openResolver, type Resolver, type ResolverClient } from "#helper";
import { type Fd, newNetworkNamespace, RouteTable, setLinkUp } from "#kernel";
import { rejection } from "../../src/base/testing.ts";
import type { Answer, Question } from "../support/dns-asker.ts";
import { enter } from "../support/namespace.ts";
import { eventually } from "../support/run-container.ts";

const helper = openHelper();
const LOOPBACK = 1;

let root: string;
let socket: string;
let resolver: Resolver;
let netns: Fd;
let asker: Asker;
let upstream: Upstream;

/** A container's programs that ask, one after another. */
class Asker implements Disposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(inside: Fd, port: number, address = "127.0.0.11") {
    const script = join(import.meta.dir, "../support/dns-asker.ts");
    this.#child = Bun.spawn(enter(inside, process.execPath, script, address, String(port)), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#reader = createInterface({ input: Readable.fromWeb(this.#child.stdout as never) });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async ready(): Promise<this> {
    await this.#lines.next();
    return this;
  }

  async ask(
    name: string,
    type: Question["type"] = "A",
    more: Partial<Question> = {},
  ): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify({ name, type, ...more })}\n`);
    this.#child.stdin.flush();
    const { value } = await this.#lines.next();
    return JSON.parse(value);
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

/** A name server on the host's loopback: "big.NAME" has an answer of 100 addresses, "mute.NAME" none, all else 192.0.2.1. */
class Upstream implements Disposable {
  readonly udp: UdpSocket = createSocket("udp4");
  readonly tcp: Server;
  port = 0;
  asked = 0;

  constructor() {
    this.tcp = createServer((connection) => {
      let bytes: Buffer = Buffer.alloc(0);
      connection.on("error", () => undefined);
      connection.on("data", (more: Buffer) => {
        bytes = Buffer.concat([bytes, more]);
        if (bytes.byteLength < 2 || bytes.byteLength < 2 + bytes.readUInt16BE(0)) return;
        const answer = this.answer(bytes.subarray(2), 65535);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer?.byteLength ?? 0);
        if (answer) connection.end(Buffer.concat([length, answer]));
      });
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.tcp.listen(0, "127.0.0.1", resolve));
    this.port = (this.tcp.address() as { port: number }).port;
    await new Promise<void>((resolve) => this.udp.bind(this.port, "127.0.0.1", resolve));
    this.udp.on("message", (query, { port, address }) => {
      const answer = this.answer(query, 512);
      if (answer) this.udp.send(answer, port, address);
    });
    return this;
  }

  answer(query: Buffer, room: number): Buffer | undefined {
    this.asked++;
    const first = query.toString("latin1", 13, 13 + (query[12] ?? 0)).toLowerCase();
    if (first === "mute") return undefined;
    let end = 12;
    while (query[end] !== 0) end += 1 + (query[end] ?? 0);
    end += 5;
    const count = first === "big" ? 100 : 1;
    const truncated = end + 16 * count > room;
    const header = Buffer.from(query.subarray(0, end));
    header[2] = truncated ? 0x83 : 0x81;
    header[3] = 0x80;
    header.writeUInt16BE(truncated ? 0 : count, 6);
    header.writeUInt16BE(0, 10);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    return Buffer.concat([header, ...(truncated ? [] : Array<Buffer>(count).fill(record))]);
  }

  [Symbol.dispose](): void {
    this.udp.close();
    this.tcp.close();
  }
}

async function namespace(): Promise<Fd> {
  const made = await newNetworkNamespace();
  await new RouteTable({ netns: made }).apply(setLinkUp(LOOPBACK));
  return made;
}

const client = (change: Partial<ResolverClient> = {}): ResolverClient => ({
  id: "asker",
  networks: ["front", "back"],
  forwards: true,
  upstreams: [{ address: "127.0.0.1", port: upstream.port }],
  links: [],
  ...change,
});

beforeAll(async () => {
  root = mkdtempSync("/run/thimble-resolver-");
  socket = join(root, "dns");
  upstream = await new Upstream().listen();
  resolver = await openResolver(helper, socket);
  netns = await namespace();
  const { udp, tcp } = await resolver.serve(client(), netns);
  asker = await new Asker(netns, udp).ready();
  tcpPort = tcp;
  await resolver.setEndpoint({
    id: "1",
    network: "front",
    ipv4: "10.0.0.2",
    names: ["web", "web.front"],
  });
  await resolver.setEndpoint({
    id: "2",
    network: "back",
    ipv4: "10.1.0.2",
    ipv6: "fd00::2",
    names: ["db"],
  });
  await resolver.setEndpoint({
    id: "3",
    network: "elsewhere",
    ipv4: "10.2.0.2",
    names: ["secret"],
  });
});

let tcpPort: number;

afterAll(async () => {
  asker[Symbol.dispose]();
  await resolver.quit();
  resolver.close();
  netns.close();
  upstream[Symbol.dispose]();
  await eventually(() => !existsSync(socket) || undefined, "the resolver's end");
  rmSync(root, { recursive: true });
  await helper.close();
});

const noError = { code: 0, truncated: false };

describe("names of containers", () => {
  test("are answered with the addresses in the networks of who asks", async () => {
    expect(await asker.ask("web")).toMatchObject({ ...noError, records: ["10.0.0.2"] });
    expect(await asker.ask("WEB.front")).toMatchObject({ records: ["10.0.0.2"] });
    expect(await asker.ask("db")).toMatchObject({ records: ["10.1.0.2"] });
    expect(await asker.ask("db", "AAAA")).toMatchObject({
      records: ["fd000000000000000000000000000002"],
    });
  });

  test("have no other types, which are not asked elsewhere", async () => {
    const { asked } = upstream;
    expect(await asker.ask("web", "AAAA")).toMatchObject({ ...noError, records: [] });
    expect(await asker.ask("web", "MX")).toMatchObject({ ...noError, records: [] });
    expect(upstream.asked).toBe(asked);
  });

  test("of networks that the asker is not in are asked elsewhere", async () => {
    expect(await asker.ask("secret")).toMatchObject({ records: ["192.0.2.1"] });
  });

  test("are found by their address", async () => {
    expect(await asker.ask("2.0.0.10.in-addr.arpa", "PTR")).toMatchObject({ records: ["web"] });
    const ip6 = `2.${"0.".repeat(27)}0.0.d.f.ip6.arpa`;
    expect(await asker.ask(ip6, "PTR")).toMatchObject({ records: ["db"] });
    expect(await asker.ask(ip6.toUpperCase(), "PTR")).toMatchObject({ records: ["db"] });
    expect(await asker.ask("2.0.0.10.in-addr.arpa")).toMatchObject({ ...noError, records: [] });
    expect((await asker.ask("2.0.2.10.in-addr.arpa", "PTR")).records).not.toContain("secret");
  });

  test("lead to the ports that their containers offer", async () => {
    const ports = [
      { port: 80, protocol: "tcp" },
      { port: 443, protocol: "tcp" },
      { port: 53, protocol: "udp" },
    ] as const;
    const endpoint = { network: "front", names: ["shop.front", "shop"], ports } as const;
    await resolver.setEndpoint({ ...endpoint, id: "shop", ipv4: "10.0.0.20", ipv6: "fd00::20" });
    const { asked } = upstream;
    expect(await asker.ask("_443._tcp.shop", "SRV")).toMatchObject({
      ...noError,
      records: ["443 shop.front"],
      additional: ["10.0.0.20", "fd000000000000000000000000000020"],
    });
    expect(await asker.ask("_TCP.Shop.front", "SRV")).toMatchObject({
      records: ["80 shop.front", "443 shop.front"],
    });
    expect(await asker.ask("_udp.shop", "SRV")).toMatchObject({ records: ["53 shop.front"] });
    for (const name of ["_81._tcp.shop", "_80._udp.shop", "_sctp.shop", "shop"])
      expect(await asker.ask(name, "SRV")).toMatchObject({ ...noError, records: [] });
    expect(await asker.ask("_80._tcp.shop", "A")).toMatchObject({ ...noError, records: [] });
    expect(upstream.asked).toBe(asked);
    for (const name of ["_80.shop", "_080._tcp.shop", "_80x._tcp.shop", "_70000._tcp.shop", "_tcp"])
      await asker.ask(name, "SRV");
    expect(upstream.asked).toBe(asked + 5);
    await resolver.dropEndpoint("shop");
  });

  test("that several containers have are answered with all, each first in its turn", async () => {
    for (const [index, ipv4] of ["10.0.0.5", "10.0.0.6", "10.0.0.7"].entries())
      await resolver.setEndpoint({ id: `pool${index}`, network: "front", ipv4, names: ["pool"] });
    const answers = [await asker.ask("pool"), await asker.ask("pool"), await asker.ask("pool")];
    for (const { records } of answers) expect([...records].sort()).toHaveLength(3);
    expect(new Set(answers.map(({ records }) => records[0])).size).toBe(3);
  });

  test("go with their container", async () => {
    await resolver.setEndpoint({ id: "gone", network: "front", ipv4: "10.0.0.9", names: ["gone"] });
    expect(await asker.ask("gone")).toMatchObject({ records: ["10.0.0.9"] });
    await resolver.dropEndpoint("gone");
    expect(await asker.ask("gone")).toMatchObject({ records: ["192.0.2.1"] });
  });

  test("by TCP as well", async () => {
    using other = await new Asker(netns, tcpPort).ready();
    expect(await other.ask("web", "A", { tcp: true })).toMatchObject({ records: ["10.0.0.2"] });
    expect(await other.ask("big.example", "A", { tcp: true })).toMatchObject({ truncated: false });
  });

  test("a link is a name for one container alone", async () => {
    await resolver.update(client({ links: [["mysql", "db"]] }));
    expect(await asker.ask("mysql")).toMatchObject({ records: ["10.1.0.2"] });
    const both = [
      ["any", "db"],
      ["any", "web"],
    ] as const;
    await resolver.update(client({ links: both }));
    const { records } = await asker.ask("any");
    expect([...records].sort()).toEqual(["10.0.0.2", "10.1.0.2"]);
    await resolver.update(client());
    expect(await asker.ask("mysql")).toMatchObject({ records: ["192.0.2.1"] });
  });

  test("an answer that does not fit says so, and is whole where the asker takes more", async () => {
    for (let index = 0; index < 60; index++)
      await resolver.setEndpoint({
        id: `many${index}`,
        network: "front",
        ipv4: `10.0.1.${index}`,
        names: ["many"],
      });
    const cut = await asker.ask("many");
    expect(cut.truncated).toBe(true);
    expect(cut.bytes).toBeLessThanOrEqual(512);
    const whole = await asker.ask("many", "A", { edns: 4096 });
    expect(whole).toMatchObject({ truncated: false, edns: true });
    expect(whole.records).toHaveLength(60);
  });
});

describe("other names", () => {
  test("are asked of the name servers of the host, also on its loopback", async () => {
    expect(await asker.ask("example.com")).toMatchObject({ ...noError, records: ["192.0.2.1"] });
    expect(await asker.ask("big.example")).toMatchObject({ truncated: true });
  });

  test("do not exist for who may not ask outside", async () => {
    const { asked } = upstream;
    await resolver.update(client({ forwards: false }));
    expect(await asker.ask("example.com")).toMatchObject({ code: 3 });
    expect(await asker.ask("web")).toMatchObject({ ...noError, records: ["10.0.0.2"] });
    await resolver.update(client());
    expect(upstream.asked).toBe(asked);
  });

  test("are asked of the next name server where the first is dead", async () => {
    const dead = { address: "127.0.0.1", port: 1 };
    const alive = { address: "127.0.0.1", port: upstream.port };
    await resolver.update(client({ upstreams: [dead, alive] }));
    expect(await asker.ask("example.com")).toMatchObject({ records: ["192.0.2.1"] });
    using other = await new Asker(netns, tcpPort).ready();
    expect(await other.ask("example.com", "A", { tcp: true })).toMatchObject({
      records: ["192.0.2.1"],
    });
    await resolver.update(client());
  });

  test("are asked by TCP of the next name server where the first hangs up or is silent", async () => {
    const held: Socket[] = [];
    await using deaf = createServer((connection) => void held.push(connection));
    await using rude = createServer((connection) => connection.on("data", () => connection.end()));
    const ports = [];
    for (const server of [rude, deaf]) {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      ports.push((server.address() as { port: number }).port);
    }
    const upstreams = [...ports, upstream.port].map((port) => ({ address: "127.0.0.1", port }));
    await resolver.update(client({ upstreams }));
    using other = await new Asker(netns, tcpPort).ready();
    expect(await other.ask("example.com", "A", { tcp: true })).toMatchObject({
      records: ["192.0.2.1"],
    });
    for (const connection of held) connection.destroy();
    await resolver.update(client());
  });

  test("reach an asker by TCP that has ended its own side", async () => {
    using other = await new Asker(netns, tcpPort).ready();
    const ended = await other.ask("example.com", "A", { tcp: true, ends: true });
    expect(ended).toMatchObject({ records: ["192.0.2.1"] });
  });

  test("of a name server that is silent delay no name of a container", async () => {
    using other = await new Asker(
      netns,
      (await resolver.serve(client({ id: "slow" }), netns)).udp,
    ).ready();
    let isOver = false;
    const slow = other.ask("mute.example").finally(() => {
      isOver = true;
    });
    for (let count = 0; count < 50; count++) await asker.ask("web");
    expect(isOver).toBe(false);
    expect(await slow).toMatchObject({ code: 2 });
    await resolver.drop("slow");
  });
});

describe("containers that ask without end", () => {
  const crowd = Array.from({ length: 16 }, (_, index) => `hostile${index}`);

  test("leave every other one its share of what waits for name servers", async () => {
    using hostile = await new Asker(netns, tcpPort).ready();
    const ports = [];
    for (const id of crowd) ports.push((await resolver.serve(client({ id }), netns)).udp);
    const { forwarded, refused } = await resolver.status();
    const limit = 256;
    const waits = async () => Number((await resolver.status()).forwarded - forwarded);
    // What a full socket loses is sent again.
    for (let sent = 0; sent < 10 && (await waits()) < crowd.length * limit; sent++)
      for (const port of ports) await hostile.ask("mute.example", "A", { port, times: limit });
    expect(await asker.ask("example.com")).toMatchObject({ records: ["192.0.2.1"] });
    await hostile.ask("mute.example", "A", { port: ports[0] as number, times: 2 * limit });
    expect((await resolver.status()).refused).toBeGreaterThan(refused);
    for (const id of crowd) await resolver.drop(id);
  });

  test("leave every other one its share of connections", async () => {
    using hostile = await new Asker(netns, tcpPort).ready();
    for (const id of crowd) {
      const { tcp } = await resolver.serve(client({ id }), netns);
      await hostile.ask("", "A", { port: tcp, held: 32 });
    }
    expect(await asker.ask("example.com", "A", { tcp: true, port: tcpPort })).toMatchObject({
      records: ["192.0.2.1"],
    });
    for (const id of crowd) await resolver.drop(id);
  });
});

describe("bad questions", () => {
  test.each([
    ["a header alone", "000101000001000000000000", 1],
    ["a name that is cut off", "0001010000010000000000000361", 1],
    [
      "two questions",
      "00010100000200000000000003777777000001000103777777000001 0001".replaceAll(" ", ""),
      1,
    ],
    [
      "a name that is too long",
      `000101000001000000000000${`3f${"61".repeat(63)}`.repeat(5)}0000010001`,
      1,
    ],
    ["another opcode", "0001290000010000000000000377656200000100 01".replaceAll(" ", ""), 4],
  ])("%s is refused", async (_, raw, code) => {
    expect(await asker.ask("", "A", { raw })).toMatchObject({ code });
  });

  test("a question longer than UDP answers may be is refused, and asked of nobody", async () => {
    const { asked } = upstream;
    const question = "000101000001000000000000076578616d706c6503636f6d0000010001";
    const raw = question.padEnd(2 * 4096, "0");
    expect(await asker.ask("", "A", { raw })).toMatchObject({ ...noError, records: ["192.0.2.1"] });
    expect(upstream.asked).toBe(asked + 1);
    expect(await asker.ask("", "A", { raw: `${raw}00` })).toMatchObject({ code: 1 });
    expect(upstream.asked).toBe(asked + 1);
  });

  test("a pointer in the question is no name", async () => {
    expect(await asker.ask("", "A", { raw: "000101000001000000000000c00c00010001" })).toMatchObject(
      { code: 1 },
    );
  });
});

describe("what it is told", () => {
  test("holds while no engine is there, and the next engine finds it", async () => {
    resolver.close();
    expect(await asker.ask("web")).toMatchObject({ records: ["10.0.0.2"] });
    resolver = await openResolver(helper, socket);
    expect((await resolver.status()).clients).toBe(1);
    expect(await asker.ask("db")).toMatchObject({ records: ["10.1.0.2"] });
  });

  test("is replaced as a whole by what is said between begin and commit", async () => {
    await resolver.begin();
    await resolver.setEndpoint({ id: "1", network: "front", ipv4: "10.0.0.3", names: ["web"] });
    expect(await asker.ask("db")).toMatchObject({ records: ["10.1.0.2"] });
    await resolver.update(client());
    await resolver.commit();
    expect(await asker.ask("web")).toMatchObject({ records: ["10.0.0.3"] });
    expect(await asker.ask("db")).toMatchObject({ records: ["192.0.2.1"] });
    expect(await resolver.status()).toMatchObject({ clients: 1, endpoints: 1 });
  });

  test("no question is lost while names change", async () => {
    let isOver = false;
    const changes = (async () => {
      for (let count = 0; count < 2000; count++)
        await resolver.setEndpoint({
          id: "1",
          network: "front",
          ipv4: `10.0.0.${count % 250}`,
          names: ["web"],
        });
      isOver = true;
    })();
    let questions = 0;
    for (; !isOver; questions++)
      expect(await asker.ask("web")).toMatchObject({ code: 0, truncated: false });
    await changes;
    expect(questions).toBeGreaterThan(10);
  });

  test.each([["a..b"], [""], ["x".repeat(64)], ["with space"]])(
    "the name %p is refused",
    async (name) => {
      const endpoint = { id: "bad", network: "front", ipv4: "10.0.0.2", names: [name] };
      expect(await rejection(resolver.setEndpoint(endpoint))).toMatchObject({ code: "invalid" });
    },
  );

  test("a container that is not served cannot be changed", async () => {
    expect(await rejection(resolver.update(client({ id: "nobody" })))).toMatchObject({
      code: "not_found",
    });
  });

  test("a container whose sockets find no room is not said to be served, and keeps those it has", async () => {
    const { pid } = await resolver.status();
    const limit = async (soft: string) =>
      expect(await Bun.spawn(["prlimit", `--pid=${pid}`, `--nofile=${soft}:`]).exited).toBe(0);
    const hard = /^Max open files +\d+ +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"));
    const open = readdirSync(`/proc/${pid}/fd`);
    // Room for one of the two.
    const next = [...Array(open.length + 1).keys()].find((fd) => !open.includes(`${fd}`)) ?? 0;
    await limit(`${Math.max(next, ...open.map(Number)) + 1}`);
    for (let count = 0; count < 3; count++)
      expect(await rejection(resolver.serve(client(), netns))).toMatchObject({ errno: "EMFILE" });
    expect(readdirSync(`/proc/${pid}/fd`).length).toBe(open.length);
    await limit(hard?.[1] ?? "");
    expect(await asker.ask("web")).toMatchObject(noError);
  });
});
