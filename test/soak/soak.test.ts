/**
 * Twenty clients that do what they should and what they should not, beside thousands that say
 * nothing: the engine stays up, loses nothing, and serves others meanwhile. Three minutes;
 * two hours with `npm run test:long`.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { random, rounds } from "../../src/base/testing.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { opened, type SoakTarget, soakClient, soakFetch } from "../support/soak-client.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

const seconds = rounds(180, 7200);
const clients = 20;
const idle = 5000;
/** Milliseconds; the aim is 100 on a machine that has a core to spare, which a test cannot count on. */
const patience = 2000;
/** Bytes that the engine may hold more than before, once all is quiet. */
const allowance = 150 << 20;
const image = "busybox:soak";

describe.skipIf(process.getuid?.() !== 0)("soak [needs root]", () => {
  const cli = new ThimbleCli();
  const roots = { dataRoot: join(cli.directory, "data"), runRoot: join(cli.directory, "run") };
  let target: SoakTarget;

  beforeAll(async () => {
    await cli.importBusybox(image);
    const run = async (script: string) => await cli.ok(["run", "-d", image, "sh", "-c", script]);
    target = {
      socket: cli.socket,
      image,
      noisy: await run("while :; do echo noise; sleep 0.01; done"),
      quiet: await run("sleep 100000"),
    };
    // Threads and the like are made on first use.
    const warm = performance.now() + 3000;
    await Promise.all([100, 200, 300].map((seed) => soakClient(target, random(seed), warm)));
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });

  test(
    `${clients} clients and ${idle} idle connections for ${seconds} s`,
    async () => {
      const memory = () => residentBytes(roots.runRoot);
      const holdings = engineHoldings(roots);
      const before = { memory: memory(), pid: enginePid(roots.runRoot) };
      const silent = await connectMany(target.socket, idle);
      const end = performance.now() + seconds * 1000;
      const probed = probe(target.socket, end);
      const done = await Promise.all(
        Array.from({ length: clients }, (_, n) => soakClient(target, random(n + 1), end)),
      );
      const latencies = (await probed).toSorted((a, b) => a - b);
      for (const socket of silent) socket.destroy();
      const at = (share: number) => latencies[Math.floor(share * (latencies.length - 1))] ?? 0;
      const figures = [0.5, 0.99, 1].map((share) => `${at(share).toFixed(1)} ms`);
      const total = done.reduce((sum, each) => sum + each, 0);
      console.log(
        `${total} acts, ${silent.length} idle connections; a ping's median, p99, longest: ${figures.join(", ")}`,
      );
      await holdings.settled();
      const grown = await settledGrowth(() => memory() - before.memory);
      expect(enginePid(roots.runRoot)).toBe(before.pid);
      expect(await cli.ok(["ps", "-aq"])).toHaveLength(2 * 12 + 1);
      expect(grown).toBeLessThan(allowance);
      expect(silent.length).toBeGreaterThanOrEqual(idle);
      expect(at(0.99)).toBeLessThan(patience);
    },
    (seconds + 300) * 1000,
  );
});

function enginePid(runRoot: string): number {
  return Number(readFileSync(join(runRoot, "engine.pid"), "utf8"));
}

function residentBytes(runRoot: string): number {
  const status = readFileSync(`/proc/${enginePid(runRoot)}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024;
}

/** The growth once it is within the allowance, or what it is after a minute of quiet. */
async function settledGrowth(growth: () => number): Promise<number> {
  for (const end = Date.now() + 60_000; Date.now() < end && growth() >= allowance; )
    await Bun.sleep(500);
  return growth();
}

/** A few at a time: a listening socket has a short queue, which an engine at work empties a moment later. */
async function connectMany(path: string, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (const end = Date.now() + 60_000; sockets.length < count && Date.now() < end; ) {
    const batch = await Promise.all(Array.from({ length: 100 }, () => opened(path)));
    const made = batch.filter((socket) => socket !== undefined);
    if (made.length < batch.length) await Bun.sleep(10);
    sockets.push(...made);
  }
  return sockets;
}

/** Milliseconds that each ping of another client took. */
async function probe(socket: string, end: number): Promise<number[]> {
  const latencies: number[] = [];
  while (performance.now() < end) {
    const begun = performance.now();
    const response = await soakFetch(socket, "/_ping");
    await response.text();
    latencies.push(performance.now() - begun);
    await Bun.sleep(20);
  }
  return latencies;
}
