/** Questions that the resolver of containers passes on to name servers. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { Asker, openResolverRig, type ResolverRig, Upstream } from "../support/resolver-rig.ts";
import { eventually } from "../support/run-container.ts";

let rig: ResolverRig;

beforeAll(async () => {
  rig = await openResolverRig();
  await rig.resolver.setEndpoint({ id: "1", network: "front", ipv4: "10.0.0.2", names: ["web"] });
});

afterAll(() => rig[Symbol.asyncDispose]());

const noError = { code: 0, truncated: false };

describe("other names", () => {
  test("are asked of the name servers of the host, also on its loopback", async () => {
    expect(await rig.asker.ask("example.com")).toMatchObject({
      ...noError,
      records: ["192.0.2.1"],
    });
    expect(await rig.asker.ask("big.example")).toMatchObject({ truncated: true });
  });

  test("are asked of name servers over IPv6", async () => {
    using six = await new Upstream("::1").listen();
    await rig.resolver.update(rig.client({ upstreams: [six] }));
    expect(await rig.asker.ask("example.com")).toMatchObject({ records: ["192.0.2.1"] });
    const byTcp = { tcp: true, port: rig.tcpPort };
    expect(await rig.asker.ask("big.example", "A", byTcp)).toMatchObject({ truncated: false });
    expect(six.asked).toBe(2);
    await rig.resolver.update(rig.client());
  });

  test("that did not exist a moment ago are asked again", async () => {
    expect(await rig.asker.ask("late.example")).toMatchObject({ code: 3, records: [] });
    expect(await rig.asker.ask("late.example")).toMatchObject({ records: ["192.0.2.1"] });
  });

  test("with a long answer are asked again by TCP", async () => {
    expect(await rig.asker.ask("big.example")).toMatchObject({ truncated: true, records: [] });
    const whole = await rig.asker.ask("big.example", "A", { tcp: true, port: rig.tcpPort });
    expect(whole.truncated).toBe(false);
    expect(whole.records).toHaveLength(100);
  });

  test("do not exist for who may not ask outside", async () => {
    const { asked } = rig.upstream;
    await rig.resolver.update(rig.client({ forwards: false }));
    expect(await rig.asker.ask("example.com")).toMatchObject({ code: 3 });
    expect(await rig.asker.ask("web")).toMatchObject({ ...noError, records: ["10.0.0.2"] });
    await rig.resolver.update(rig.client());
    expect(rig.upstream.asked).toBe(asked);
  });

  test("are asked of the next name server where the first is dead", async () => {
    const dead = { address: "127.0.0.1", port: 1 };
    const alive = { address: "127.0.0.1", port: rig.upstream.port };
    await rig.resolver.update(rig.client({ upstreams: [dead, alive] }));
    expect(await rig.asker.ask("example.com")).toMatchObject({ records: ["192.0.2.1"] });
    using other = await new Asker(rig.netns, rig.tcpPort).ready();
    expect(await other.ask("example.com", "A", { tcp: true })).toMatchObject({
      records: ["192.0.2.1"],
    });
    await rig.resolver.update(rig.client());
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
    const upstreams = [...ports, rig.upstream.port].map((port) => ({ address: "127.0.0.1", port }));
    await rig.resolver.update(rig.client({ upstreams }));
    using other = await new Asker(rig.netns, rig.tcpPort).ready();
    expect(await other.ask("example.com", "A", { tcp: true })).toMatchObject({
      records: ["192.0.2.1"],
    });
    for (const connection of held) connection.destroy();
    await rig.resolver.update(rig.client());
  });

  test("reach an asker by TCP that has ended its own side", async () => {
    using other = await new Asker(rig.netns, rig.tcpPort).ready();
    const ended = await other.ask("example.com", "A", { tcp: true, ends: true });
    expect(ended).toMatchObject({ records: ["192.0.2.1"] });
  });

  test("of a name server that is silent delay no name of a container", async () => {
    using other = await new Asker(
      rig.netns,
      (await rig.resolver.serve(rig.client({ id: "slow" }), rig.netns)).udp,
    ).ready();
    const { asked } = rig.upstream;
    let isOver = false;
    const slow = other.ask("mute.example").finally(() => {
      isOver = true;
    });
    await eventually(() => rig.upstream.asked > asked || undefined, "the question to be passed on");
    await rig.asker.ask("web");
    expect(isOver).toBe(false);
    expect(await slow).toMatchObject({ code: 2 });
    await rig.resolver.drop("slow");
  });
});

describe("containers that ask without end", () => {
  const crowd = Array.from({ length: 16 }, (_, index) => `hostile${index}`);

  test("leave every other one its share of what waits for name servers", async () => {
    using hostile = await new Asker(rig.netns, rig.tcpPort).ready();
    const ports = [];
    for (const id of crowd)
      ports.push((await rig.resolver.serve(rig.client({ id }), rig.netns)).udp);
    const { forwarded, refused } = await rig.resolver.status();
    const limit = 256;
    const waits = async () => Number((await rig.resolver.status()).forwarded - forwarded);
    // What a full socket loses is sent again.
    for (let sent = 0; sent < 10 && (await waits()) < crowd.length * limit; sent++)
      for (const port of ports) await hostile.ask("mute.example", "A", { port, times: limit });
    expect(await rig.asker.ask("example.com")).toMatchObject({ records: ["192.0.2.1"] });
    await hostile.ask("mute.example", "A", { port: ports[0] as number, times: 2 * limit });
    expect((await rig.resolver.status()).refused).toBeGreaterThan(refused);
    for (const id of crowd) await rig.resolver.drop(id);
  });

  test("leave every other one its share of connections", async () => {
    using hostile = await new Asker(rig.netns, rig.tcpPort).ready();
    for (const id of crowd) {
      const { tcp } = await rig.resolver.serve(rig.client({ id }), rig.netns);
      await hostile.ask("", "A", { port: tcp, held: 32 });
    }
    expect(await rig.asker.ask("example.com", "A", { tcp: true, port: rig.tcpPort })).toMatchObject(
      {
        records: ["192.0.2.1"],
      },
    );
    for (const id of crowd) await rig.resolver.drop(id);
  });
});
