/** The resolver of containers, asked from a network namespace that stands for a container. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { rejection } from "../../src/base/testing.ts";
import { Asker, openResolverRig, type ResolverRig } from "../support/resolver-rig.ts";

let rig: ResolverRig;

beforeAll(async () => {
  rig = await openResolverRig();
  await rig.resolver.setEndpoint({
    id: "1",
    network: "front",
    ipv4: "10.0.0.2",
    names: ["web", "web.front"],
  });
  await rig.resolver.setEndpoint({
    id: "2",
    network: "back",
    ipv4: "10.1.0.2",
    ipv6: "fd00::2",
    names: ["db"],
  });
  await rig.resolver.setEndpoint({
    id: "3",
    network: "elsewhere",
    ipv4: "10.2.0.2",
    names: ["secret"],
  });
});

afterAll(() => rig[Symbol.asyncDispose]());

const noError = { code: 0, truncated: false };

describe("names of containers", () => {
  test("are answered with the addresses in the networks of who asks", async () => {
    expect(await rig.asker.ask("web")).toMatchObject({ ...noError, records: ["10.0.0.2"] });
    expect(await rig.asker.ask("WEB.front")).toMatchObject({ records: ["10.0.0.2"] });
    expect(await rig.asker.ask("db")).toMatchObject({ records: ["10.1.0.2"] });
    expect(await rig.asker.ask("db", "AAAA")).toMatchObject({
      records: ["fd000000000000000000000000000002"],
    });
  });

  test("have no other types, which are not asked elsewhere", async () => {
    const { asked } = rig.upstream;
    expect(await rig.asker.ask("web", "AAAA")).toMatchObject({ ...noError, records: [] });
    expect(await rig.asker.ask("web", "MX")).toMatchObject({ ...noError, records: [] });
    expect(rig.upstream.asked).toBe(asked);
  });

  test("of networks that the asker is not in are asked elsewhere", async () => {
    expect(await rig.asker.ask("secret")).toMatchObject({ records: ["192.0.2.1"] });
  });

  test("are found by their address", async () => {
    expect(await rig.asker.ask("2.0.0.10.in-addr.arpa", "PTR")).toMatchObject({ records: ["web"] });
    const ip6 = `2.${"0.".repeat(27)}0.0.d.f.ip6.arpa`;
    expect(await rig.asker.ask(ip6, "PTR")).toMatchObject({ records: ["db"] });
    expect(await rig.asker.ask(ip6.toUpperCase(), "PTR")).toMatchObject({ records: ["db"] });
    expect(await rig.asker.ask("2.0.0.10.in-addr.arpa")).toMatchObject({ ...noError, records: [] });
    expect((await rig.asker.ask("2.0.2.10.in-addr.arpa", "PTR")).records).not.toContain("secret");
  });

  test("lead to the ports that their containers offer", async () => {
    const ports = [
      { port: 80, protocol: "tcp" },
      { port: 443, protocol: "tcp" },
      { port: 53, protocol: "udp" },
    ] as const;
    const endpoint = { network: "front", names: ["shop.front", "shop"], ports } as const;
    await rig.resolver.setEndpoint({
      ...endpoint,
      id: "shop",
      ipv4: "10.0.0.20",
      ipv6: "fd00::20",
    });
    const { asked } = rig.upstream;
    expect(await rig.asker.ask("_443._tcp.shop", "SRV")).toMatchObject({
      ...noError,
      records: ["443 shop.front"],
      additional: ["10.0.0.20", "fd000000000000000000000000000020"],
    });
    expect(await rig.asker.ask("_TCP.Shop.front", "SRV")).toMatchObject({
      records: ["80 shop.front", "443 shop.front"],
    });
    expect(await rig.asker.ask("_udp.shop", "SRV")).toMatchObject({ records: ["53 shop.front"] });
    for (const name of ["_81._tcp.shop", "_80._udp.shop", "_sctp.shop", "shop"])
      expect(await rig.asker.ask(name, "SRV")).toMatchObject({ ...noError, records: [] });
    expect(await rig.asker.ask("_80._tcp.shop", "A")).toMatchObject({ ...noError, records: [] });
    expect(rig.upstream.asked).toBe(asked);
    for (const name of ["_80.shop", "_080._tcp.shop", "_80x._tcp.shop", "_70000._tcp.shop", "_tcp"])
      await rig.asker.ask(name, "SRV");
    expect(rig.upstream.asked).toBe(asked + 5);
    await rig.resolver.dropEndpoint("shop");
  });

  test("that several containers have are answered with all, each first in its turn", async () => {
    for (const [index, ipv4] of ["10.0.0.5", "10.0.0.6", "10.0.0.7"].entries())
      await rig.resolver.setEndpoint({
        id: `pool${index}`,
        network: "front",
        ipv4,
        names: ["pool"],
      });
    const answers = [
      await rig.asker.ask("pool"),
      await rig.asker.ask("pool"),
      await rig.asker.ask("pool"),
    ];
    for (const { records } of answers) expect([...records].sort()).toHaveLength(3);
    expect(new Set(answers.map(({ records }) => records[0])).size).toBe(3);
  });

  test("go with their container", async () => {
    await rig.resolver.setEndpoint({
      id: "gone",
      network: "front",
      ipv4: "10.0.0.9",
      names: ["gone"],
    });
    expect(await rig.asker.ask("gone")).toMatchObject({ records: ["10.0.0.9"] });
    await rig.resolver.dropEndpoint("gone");
    expect(await rig.asker.ask("gone")).toMatchObject({ records: ["192.0.2.1"] });
  });

  test("by TCP as well", async () => {
    using other = await new Asker(rig.netns, rig.tcpPort).ready();
    expect(await other.ask("web", "A", { tcp: true })).toMatchObject({ records: ["10.0.0.2"] });
    expect(await other.ask("big.example", "A", { tcp: true })).toMatchObject({ truncated: false });
  });

  test("a link is a name for one container alone", async () => {
    await rig.resolver.update(rig.client({ links: [["mysql", "db"]] }));
    expect(await rig.asker.ask("mysql")).toMatchObject({ records: ["10.1.0.2"] });
    const both = [
      ["any", "db"],
      ["any", "web"],
    ] as const;
    await rig.resolver.update(rig.client({ links: both }));
    const { records } = await rig.asker.ask("any");
    expect([...records].sort()).toEqual(["10.0.0.2", "10.1.0.2"]);
    await rig.resolver.update(rig.client());
    expect(await rig.asker.ask("mysql")).toMatchObject({ records: ["192.0.2.1"] });
  });

  test("an answer that does not fit says so, and is whole where the asker takes more", async () => {
    for (let index = 0; index < 60; index++)
      await rig.resolver.setEndpoint({
        id: `many${index}`,
        network: "front",
        ipv4: `10.0.1.${index}`,
        names: ["many"],
      });
    const cut = await rig.asker.ask("many");
    expect(cut.truncated).toBe(true);
    expect(cut.bytes).toBeLessThanOrEqual(512);
    for (const edns of [100, 512, 800]) {
      const less = await rig.asker.ask("many", "A", { edns });
      expect(less).toMatchObject({ truncated: true, edns: true });
      expect(less.bytes).toBeLessThanOrEqual(Math.max(edns, 512));
    }
    const byTcp = await rig.asker.ask("many", "A", { tcp: true, port: rig.tcpPort });
    expect(byTcp).toMatchObject({ truncated: false, edns: false });
    expect(byTcp.records).toHaveLength(60);
    const whole = await rig.asker.ask("many", "A", { edns: 4096 });
    expect(whole).toMatchObject({ truncated: false, edns: true });
    expect(whole.records).toHaveLength(60);
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
    expect(await rig.asker.ask("", "A", { raw })).toMatchObject({ code });
  });

  test("a question longer than UDP answers may be is refused, and asked of nobody", async () => {
    const { asked } = rig.upstream;
    const question = "000101000001000000000000076578616d706c6503636f6d0000010001";
    const raw = question.padEnd(2 * 4096, "0");
    expect(await rig.asker.ask("", "A", { raw })).toMatchObject({
      ...noError,
      records: ["192.0.2.1"],
    });
    expect(rig.upstream.asked).toBe(asked + 1);
    expect(await rig.asker.ask("", "A", { raw: `${raw}00` })).toMatchObject({ code: 1 });
    expect(rig.upstream.asked).toBe(asked + 1);
  });

  test("a pointer in the question is no name", async () => {
    expect(
      await rig.asker.ask("", "A", { raw: "000101000001000000000000c00c00010001" }),
    ).toMatchObject({ code: 1 });
  });
});

describe("what it is told", () => {
  test("holds while no engine is there, and the next engine finds it", async () => {
    rig.resolver.close();
    expect(await rig.asker.ask("web")).toMatchObject({ records: ["10.0.0.2"] });
    await rig.reopen();
    expect((await rig.resolver.status()).clients).toBe(1);
    expect(await rig.asker.ask("db")).toMatchObject({ records: ["10.1.0.2"] });
  });

  test("is replaced as a whole by what is said between begin and commit", async () => {
    await rig.resolver.begin();
    await rig.resolver.setEndpoint({ id: "1", network: "front", ipv4: "10.0.0.3", names: ["web"] });
    expect(await rig.asker.ask("db")).toMatchObject({ records: ["10.1.0.2"] });
    await rig.resolver.update(rig.client());
    await rig.resolver.commit();
    expect(await rig.asker.ask("web")).toMatchObject({ records: ["10.0.0.3"] });
    expect(await rig.asker.ask("db")).toMatchObject({ records: ["192.0.2.1"] });
    expect(await rig.resolver.status()).toMatchObject({ clients: 1, endpoints: 1 });
  });

  test("no question is lost over 10,000 changes, with the engine killed and started again between them", async () => {
    const changes = 10_000;
    let made = 0;
    let isOver = false;
    const churn = async () => {
      while (made < changes) {
        const client = JSON.stringify(rig.client());
        const script = join(import.meta.dir, "../support/names-churn.ts");
        const argv = [process.execPath, script, rig.socket, `${made}`, `${changes}`, client];
        await using engine = Bun.spawn(argv, { stdout: "pipe" });
        const killsAt = made < changes / 2 ? changes / 2 : changes + 1;
        for await (const line of createInterface({
          input: Readable.fromWeb(engine.stdout as never),
        })) {
          made = Number(line);
          if (made >= killsAt) engine.kill("SIGKILL");
        }
        const status = await engine.exited;
        if (status !== 0 && engine.signalCode !== "SIGKILL")
          throw new Error(`ended with ${status}`);
      }
    };
    const changed = churn().finally(() => {
      isOver = true;
    });
    let questions = 0;
    for (; !isOver; questions++) {
      const { code, records } = await rig.asker.ask(questions % 2 === 0 ? "moving" : "stable");
      // Before the first change both are names outside.
      expect({ code, found: records.length }).toEqual({ code: 0, found: 1 });
    }
    await changed;
    expect(made).toBe(changes);
    expect(questions).toBeGreaterThan(100);
    expect(await rig.asker.ask("moving")).toMatchObject({ records: ["10.0.39.15"] });
  });

  test.each([["a..b"], [""], ["x".repeat(64)], ["with space"]])(
    "the name %p is refused",
    async (name) => {
      const endpoint = { id: "bad", network: "front", ipv4: "10.0.0.2", names: [name] };
      expect(await rejection(rig.resolver.setEndpoint(endpoint))).toMatchObject({
        code: "invalid",
      });
    },
  );

  test("a container that is not served cannot be changed", async () => {
    expect(await rejection(rig.resolver.update(rig.client({ id: "nobody" })))).toMatchObject({
      code: "not_found",
    });
  });

  test("a container whose sockets find no room is not said to be served, and keeps those it has", async () => {
    const { pid } = await rig.resolver.status();
    const limit = async (soft: string) =>
      expect(await Bun.spawn(["prlimit", `--pid=${pid}`, `--nofile=${soft}:`]).exited).toBe(0);
    const hard = /^Max open files +\d+ +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"));
    const open = readdirSync(`/proc/${pid}/fd`);
    // Room for one of the two.
    const next = [...Array(open.length + 1).keys()].find((fd) => !open.includes(`${fd}`)) ?? 0;
    await limit(`${Math.max(next, ...open.map(Number)) + 1}`);
    for (let count = 0; count < 3; count++)
      expect(await rejection(rig.resolver.serve(rig.client(), rig.netns))).toMatchObject({
        errno: "EMFILE",
      });
    expect(readdirSync(`/proc/${pid}/fd`).length).toBe(open.length);
    await limit(hard?.[1] ?? "");
    expect(await rig.asker.ask("web")).toMatchObject(noError);
  });
});
