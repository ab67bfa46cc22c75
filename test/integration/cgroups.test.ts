import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { isFault } from "#base";
import { type ContainerCgroup, defaultDeviceRules, type OciResources, openCgroups } from "#runtime";
import { outcome } from "../../src/base/testing.ts";

const instanceId = `t${process.pid}`;
const cgroups = openCgroups({ instanceId });
const MiB = 1024 * 1024;

/** Leftovers of this file in every hierarchy. */
function leftovers(): string[] {
  const root = "/sys/fs/cgroup";
  return readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.split("/").some((name) => name === `thimble-${instanceId}`),
  );
}

/** A shell that enters the cgroup by itself, says so, and then runs the script. */
async function enter(cgroup: ContainerCgroup, script: string): Promise<ChildProcess> {
  const file = cgroups.version === 2 ? "cgroup.procs" : "tasks";
  const entering = cgroup.paths.map((path) => `echo 0 > ${path}/${file}`).join(" && ");
  const child = spawn("/bin/sh", ["-c", `${entering} && echo in && ${script}`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  await once(child.stdout, "data");
  return child;
}

async function run(cgroup: ContainerCgroup, script: string): Promise<number | null> {
  const child = await enter(cgroup, script);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}

let count = 0;
const create = (resources: OciResources = {}) => cgroups.create(`c${count++}`, resources);
const read = (cgroup: ContainerCgroup, v1: string, v2: string) => {
  const wanted = cgroups.version === 2 ? v2 : v1;
  const path = cgroup.paths.map((dir) => `${dir}/${wanted}`).find((file) => existsSync(file));
  return path && readFileSync(path, "utf8").trim();
};

beforeAll(() => {
  expect(process.getuid?.()).toBe(0);
});

afterAll(() => {
  expect(cgroups.list()).toEqual([]);
  cgroups.close();
  expect(leftovers()).toEqual([]);
});

describe("limits", () => {
  test("are in the kernel afterwards", async () => {
    await using cgroup = await create({
      memory: { limit: 64 * MiB },
      pids: { limit: 20 },
      cpu: { quota: 50_000, period: 100_000, shares: 512, cpus: "0" },
    });
    expect(read(cgroup, "memory.limit_in_bytes", "memory.max")).toBe(`${64 * MiB}`);
    expect(read(cgroup, "pids.max", "pids.max")).toBe("20");
    expect(read(cgroup, "cpuset.cpus", "cpuset.cpus")).toBe("0");
    if (cgroups.version === 2) {
      expect(read(cgroup, "", "cpu.max")).toBe("50000 100000");
      expect(read(cgroup, "", "cpu.weight")).toBe("59");
    } else {
      expect(read(cgroup, "cpu.cfs_quota_us", "")).toBe("50000");
      expect(read(cgroup, "cpu.shares", "")).toBe("512");
    }
    expect(cgroup.stats().memory.limit).toBe(64 * MiB);
    expect(cgroup.stats().pids.limit).toBe(20);
  });

  test("can be raised and lowered while processes run", async () => {
    await using cgroup = await create({ memory: { limit: 64 * MiB } });
    for (const memory of [256 * MiB, 32 * MiB, 128 * MiB]) {
      cgroup.update({ memory: { limit: memory }, pids: { limit: 33 } });
      expect(cgroup.stats().memory.limit).toBe(memory);
    }
    expect(cgroup.stats().pids.limit).toBe(33);
  });

  test("stop a fork bomb", async () => {
    await using cgroup = await create({ pids: { limit: 5 } });
    const code = await run(
      cgroup,
      "for i in 1 2 3 4 5 6 7 8; do sleep 60 & done 2>/dev/null; exit 0",
    );
    expect(code).not.toBe(0);
    expect(cgroup.processes().length).toBeLessThanOrEqual(5);
  });

  test("a process above its memory is killed, and that is counted", async () => {
    await using cgroup = await create({ memory: { limit: 8 * MiB } });
    expect(cgroup.oomKills()).toBe(0);
    const child = await enter(cgroup, "exec head -c 100000000 /dev/zero | tail");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    expect(cgroup.oomKills()).toBeGreaterThan(0);
  });

  test("devices: default ones open, others do not", async () => {
    await using cgroup = await create({ devices: defaultDeviceRules });
    expect(await run(cgroup, "head -c1 /dev/zero > /dev/null")).toBe(0);
    expect(await run(cgroup, "(: < /dev/kmsg) 2>/dev/null")).not.toBe(0);
  });

  test("below the minimum is refused and leaves nothing", async () => {
    expect(await outcome(create({ memory: { limit: 1 * MiB } }))).toThrow("6 MiB");
    expect(await outcome(create({ cpu: { cpus: "4096" } }))).toThrow("cpuset.cpus");
    expect(cgroups.list()).toEqual([]);
  });
});

describe("processes", () => {
  test("killAll ends all that fork on, also in cgroups made inside", async () => {
    await using cgroup = await create();
    for (const path of cgroup.paths) mkdirSync(`${path}/inner/most`, { recursive: true });
    await enter(cgroup, "while :; do (sleep 0.01 &) ; sleep 0.001; done");
    await enter(cgroup, "trap '' TERM INT HUP; sleep 300 & wait");
    expect(cgroup.processes().length).toBeGreaterThan(1);
    await cgroup.killAll();
    expect(cgroup.processes()).toEqual([]);
  });

  test("freeze stops them, thaw goes on", async () => {
    await using cgroup = await create();
    const child = await enter(cgroup, "sleep 300");
    await cgroup.freeze(true);
    const state = () =>
      /^State:\s+(.*)$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1];
    expect(state()).toMatch(/^D|^S/);
    await cgroup.freeze(false);
    child.kill("SIGKILL");
    await once(child, "exit");
  });

  test("remove refuses while some run and names them", async () => {
    await using cgroup = await create();
    const child = await enter(cgroup, "sleep 300");
    const fault = await cgroup.remove().catch((error: unknown) => error);
    expect(isFault(fault, "conflict")).toBe(true);
    expect(String(fault)).toContain("still run in it");
    expect(child.exitCode).toBeNull();
  });

  test("the engine's own leaf holds the engine, with the share of ten containers", async () => {
    const other = `${instanceId}x`;
    const script = `
      const { openCgroups } = await import("#runtime");
      const cgroups = openCgroups({ instanceId: "${other}" });
      cgroups.enterOwn();
      console.log(await Bun.file("/proc/self/cgroup").text());
      const { globSync, readFileSync } = await import("node:fs");
      const shares = globSync("/sys/fs/cgroup/{,*/}thimble-${other}/engine/cpu.{shares,weight}");
      for (const share of shares) console.log("share", readFileSync(share, "utf8").trim());
      cgroups.close();`;
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const text = await new Response(Readable.toWeb(child.stdout) as ReadableStream).text();
    expect(text).toContain(`/thimble-${other}/engine`);
    expect(text).toMatch(/^share (10240|1000)$/m);
    expect(leftovers().filter((path) => path.includes(other))).toEqual([]);
  });
});

describe("names", () => {
  test("nothing outside the own parent is ever accepted", async () => {
    for (const id of ["", "/", ".", "..", "../x", "a/b", "engine", "a\0b", "x".repeat(200)]) {
      expect(await outcome(cgroups.create(id, {}))).toThrow();
      expect(() => cgroups.open(id)).toThrow();
    }
    for (const parent of ["", "/", "//", "/..", "/a/../..", "../a", "/a/"]) {
      expect(() => openCgroups({ instanceId, parent })).toThrow("cannot be the parent");
    }
  });

  test("a cgroup is found again by its id, and one left by a crash gives way", async () => {
    const first = await cgroups.create("again", { pids: { limit: 7 } });
    expect(cgroups.list()).toContain("again");
    expect(cgroups.open("again")?.stats().pids.limit).toBe(7);
    await using second = await cgroups.create("again", { pids: { limit: 9 } });
    expect(second.paths).toEqual(first.paths);
    expect(second.stats().pids.limit).toBe(9);
    expect(cgroups.open("never")).toBeUndefined();
  });
});

test("entry names its descriptors by index and they can be closed at once", async () => {
  await using cgroup = await create({ memory: { limit: 64 * MiB } });
  const entry = cgroup.entry(3);
  for (const fd of entry.fds) fd.close();
  const indices = [
    ...(entry.cgroup.version === 2 ? [entry.cgroup.directory] : entry.cgroup.tasks),
    entry.oomCounter,
    entry.oomEvent,
  ].filter((index) => index !== undefined);
  expect(indices.map(Number)).toEqual(entry.fds.map((_, position) => position + 3));
});
