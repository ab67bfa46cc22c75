import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Fault, isFault } from "#base";
import { descriptorPath, type Mount } from "#kernel";
import { defaultSpec, type SpecOptions } from "#runtime";
import { all, unframe, until } from "../../test/support/launch-bench.ts";
import type { Task, TaskExit, TaskInput, TaskProcess, TaskStreams, Tasks } from "./task.ts";

/** The implementation under test, and the tools that the suite needs. */
export interface TaskBench extends AsyncDisposable {
  readonly tasks: Tasks;
  /** As a later engine process opens them, over the same run root. */
  reopen(): Tasks;
  /** A root file system with busybox. */
  readonly root: Mount;
  /** A path for a file of a test. */
  path(name: string): string;
  /** The plans that were carried out since the last call. */
  sent(): readonly Uint8Array[];
}

const MiB = 1024 * 1024;
const pipes = { mode: "pipes", stdin: false, stdinOnce: false } as const;
const outputs = { stdin: false, stdout: true, stderr: true };
const someone = { uid: 7, gid: 8, additionalGids: [] };

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Fault) return error;
  throw error ?? new Error("nothing was thrown");
}

/** The promises that every implementation of `Tasks` keeps. */
export function taskContract(name: string, open: () => Promise<TaskBench>): void {
  describe(name, () => {
    let bench: TaskBench;
    let count = 0;
    const ids: string[] = [];

    beforeAll(async () => {
      bench = await open();
    });

    afterEach(async () => {
      for (const id of ids.splice(0)) await bench.tasks.remove(id);
    });

    afterAll(async () => {
      await bench[Symbol.asyncDispose]();
    });

    function inputOf(
      script: string,
      change: Partial<TaskInput> & { readonly options?: Partial<SpecOptions> } = {},
    ): TaskInput {
      const { options, ...rest } = change;
      const id = (count++).toString(16).padStart(4, "0").padEnd(64, "a");
      ids.push(id);
      const spec = defaultSpec({
        argv: ["sh", "-c", script],
        env: ["PATH=/bin"],
        cwd: "/",
        user: { uid: 0, gid: 0, additionalGids: [] },
        terminal: rest.stdio?.mode === "pty",
        hostname: "task",
        machine: bench.tasks.machine,
        ...options,
      });
      return { id, spec, root: bench.root, stdio: pipes, init: false, ...rest };
    }

    async function started(script: string, change?: Parameters<typeof inputOf>[1]): Promise<Task> {
      const task = await bench.tasks.create(inputOf(script, change));
      await task.start();
      return task;
    }

    /** Attached before the start, so that all of its output is there. */
    async function run(task: Task): Promise<TaskExit & { readonly output: string }> {
      const streams = await task.attach(outputs);
      await task.start();
      return await ended(task, streams);
    }

    async function ended(process: TaskProcess, streams: TaskStreams) {
      const output = unframe(await all(streams.output));
      const exit = await process.exited;
      await process.released;
      await process[Symbol.asyncDispose]();
      return { ...exit, output };
    }

    test("a plan has the bytes that create sends, and makes nothing", async () => {
      await using other = await started("sleep 1000");
      using pid = other.openNamespace("pid");
      const log = { path: bench.path("planned.log"), maxSize: 1000n, maxFiles: 2 };
      const inputs = [
        inputOf("exit 0"),
        inputOf("exit 0", { stdio: { ...pipes, mode: "pty", rows: 3, columns: 4 }, init: true }),
        inputOf("exit 0", {
          log,
          options: {
            namespaces: { pid: { path: descriptorPath(pid) }, ipc: "host", uts: "host" },
            resources: { memory: { limit: 32 * MiB } },
          },
        }),
      ];
      bench.sent();
      for (const input of inputs) {
        const { plan } = bench.tasks.plan(input);
        expect(bench.sent()).toEqual([]);
        expect(await bench.tasks.adopt({ id: input.id, pid: 1, startTime: 1n })).toBeUndefined();
        await using task = await bench.tasks.create(input);
        expect(bench.sent()).toEqual([plan]);
        await task.start();
        expect((await task.exited).exitCode).toBe(0);
      }
    });

    test("a plan needs neither the root nor the namespaces nor a bind's source", () => {
      const missing = bench.path("missing");
      const input = inputOf("exit 0", {
        root: { type: "bind", source: missing, options: [] },
        options: {
          namespaces: { network: { path: missing } },
          mounts: [{ destination: "/there", type: "bind", source: missing }],
        },
      });
      expect(() => bench.tasks.plan(input)).toThrow("does not exist");
      const { plan } = bench.tasks.plan(input, { kindOf: () => "file" });
      expect(plan.byteLength).toBeGreaterThan(0);
    });

    test("nothing runs before the start, and no output is missed", async () => {
      const path = bench.path("shared");
      const input = inputOf("echo ran > /shared/ran; echo out; hostname; exit 7", {
        options: {
          mounts: [{ destination: "/shared", type: "bind", source: path, options: ["bind"] }],
        },
      });
      const task = await bench.tasks.create(input);
      expect(existsSync(`/proc/${task.pid}`)).toBe(true);
      expect(existsSync(`${path}/ran`)).toBe(false);
      const exit = await run(task);
      expect(existsSync(`${path}/ran`)).toBe(true);
      expect(exit).toMatchObject({ id: input.id, exitCode: 7, signal: 0, output: "out\ntask\n" });
      expect(exit.finishedAt).toBeGreaterThan(exit.startedAt);
      const { output: _, ...told } = exit;
      expect(await bench.tasks.exitRecord(input.id)).toEqual(told);
    });

    test("a task that is not started goes with its disposal", async () => {
      const input = inputOf("exit 0");
      const first = await bench.tasks.create(input);
      await first[Symbol.asyncDispose]();
      expect(existsSync(`/proc/${first.pid}`)).toBe(false);
      expect(await bench.tasks.exitRecord(input.id)).toBeUndefined();
      expect((await run(await bench.tasks.create(input))).exitCode).toBe(0);
    });

    test("a program that is not there fails the start, and the id is free again", async () => {
      const input = inputOf("", { options: { argv: ["/nope"] } });
      const task = await bench.tasks.create(input);
      const fault = await faultOf(task.start());
      expect(fault).toMatchObject({ code: "not_found", stage: "exec", errno: "ENOENT" });
      expect(await task.exited).toMatchObject({ exitCode: 127, error: { stage: "exec" } });
      await task[Symbol.asyncDispose]();
      expect(await bench.tasks.exitRecord(input.id)).toBeUndefined();
      const again = { ...inputOf("exit 0"), id: input.id };
      expect((await run(await bench.tasks.create(again))).exitCode).toBe(0);
    });

    test("a namespace that is not there fails the create and leaves nothing", async () => {
      const input = inputOf("exit 0", {
        options: { namespaces: { network: { path: bench.path("missing") } } },
      });
      expect(await faultOf(bench.tasks.create(input))).toMatchObject({ code: "not_found" });
      const again = { ...inputOf("exit 0"), id: input.id };
      expect((await run(await bench.tasks.create(again))).exitCode).toBe(0);
    });

    test("an option that cannot be carried out is refused by field", async () => {
      const input = inputOf("exit 0");
      const hooks = { poststart: [{ path: "/bin/true" }] };
      const wanted = { ...input, spec: { ...input.spec, hooks } };
      expect(() => bench.tasks.plan(wanted)).toThrow("hooks.poststart");
      expect(await faultOf(bench.tasks.create(wanted))).toMatchObject({ code: "unsupported" });
    });

    test("kill reaches the one process, killAll all of them", async () => {
      const script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done";
      await using polite = await bench.tasks.create(inputOf(script));
      const streams = await polite.attach(outputs);
      await polite.start();
      // Process 1 of a pid namespace takes no signal that it has no handler for yet.
      await once(streams.output, "data");
      await polite.kill(15);
      expect(await polite.exited).toMatchObject({ exitCode: 3, signal: 0 });
      expect(await faultOf(polite.kill(15))).toMatchObject({ code: "not_found" });

      await using many = await started("sleep 1000 & sleep 1000 & wait");
      await many.killAll();
      expect(await many.exited).toMatchObject({ exitCode: 137, signal: 9 });
      expect(await many.pids()).toEqual([]);
    });

    test("an exec runs inside with an exit of its own", async () => {
      await using task = await started("sleep 1000");
      const process = { user: someone, args: ["sh", "-c", "id -u; hostname; exit 4"], cwd: "/" };
      const id = "e".repeat(64);
      const env = ["PATH=/bin"];
      const attach = outputs;
      const described = { ...process, env };
      for (const each of [id, "f".repeat(64)]) {
        const exec = await task.exec({ id: each, process: described, stdio: pipes, attach });
        expect(await ended(exec.process, exec.streams ?? expect.unreachable())).toMatchObject({
          id: each,
          exitCode: 4,
          output: "7\ntask\n",
        });
      }

      const staying = { ...process, args: ["sleep", "1000"], env };
      const { process: added, streams } = await task.exec({ id, process: staying, stdio: pipes });
      expect(streams).toBeUndefined();
      expect(new Set(await task.pids())).toEqual(new Set([task.pid, added.pid]));
      await added.kill(9);
      expect(await added.exited).toMatchObject({ exitCode: 137, signal: 9 });
      await added.released;

      const lost = { ...process, args: ["/nope"] };
      const failing = task.exec({ id, process: lost, stdio: pipes, attach });
      expect(await faultOf(failing)).toMatchObject({ stage: "exec", errno: "ENOENT" });
      expect(await task.pids()).toEqual([task.pid]);

      await task.killAll();
      await task.exited;
      const late = task.exec({ id, process: { ...process, env }, stdio: pipes });
      expect(await faultOf(late)).toMatchObject({ code: "conflict" });
    });

    test("a terminal has the size it is given", async () => {
      const pty = { mode: "pty", stdin: true, stdinOnce: true, rows: 10, columns: 20 } as const;
      const script = "stty size; read line; stty size";
      const task = await bench.tasks.create(inputOf(script, { stdio: pty }));
      const { input, output } = await task.attach({ stdin: true, stdout: true, stderr: false });
      await task.start();
      expect(await until(output, "\n")).toBe("10 20\r\n");
      await task.resize({ rows: 30, columns: 40 });
      input.write("go\n");
      expect((await all(output)).toString()).toBe("go\r\n30 40\r\n");
      await task.released;
      expect(await faultOf(task.resize({ rows: 1, columns: 1 }))).toMatchObject({
        code: "unavailable",
      });
      await using plain = await started("sleep 1000");
      expect(await faultOf(plain.resize({ rows: 1, columns: 1 }))).toMatchObject({
        code: "invalid",
      });
    });

    test("limits hold, change and show in the stats", async () => {
      const resources = { memory: { limit: 32 * MiB }, pids: { limit: 20 } };
      await using task = await started("sleep 1000", { options: { resources } });
      expect(await task.stats()).toMatchObject({
        memory: { limit: 32 * MiB },
        pids: { current: 1, limit: 20 },
        links: {},
      });
      expect(await task.update({ pids: { limit: 30 } })).toEqual([]);
      expect(await task.stats()).toMatchObject({
        memory: { limit: 32 * MiB },
        pids: { limit: 30 },
      });
      const refused = await faultOf(task.update({ cpu: { period: 1 } }));
      expect(refused).toMatchObject({ code: "invalid", about: "cpu.period" });
    });

    test("want of memory is told, and in the exit", async () => {
      const resources = { memory: { limit: 8 * MiB, swap: 8 * MiB } };
      const script = "dd if=/dev/zero of=/dev/null bs=64M count=1";
      await using task = await started(script, { options: { resources } });
      await task.outOfMemory;
      expect(await task.exited).toMatchObject({ oomKilled: true });
    });

    test("a frozen task stands still", async () => {
      const path = bench.path("shared");
      const mounts = [{ destination: "/shared", type: "bind", source: path, options: ["bind"] }];
      const script = "while :; do echo x >> /shared/ticks; sleep 0.001; done";
      await using task = await started(script, { options: { mounts } });
      const size = () => readFileSync(`${path}/ticks`, { flag: "a+" }).byteLength;
      const grows = async (from: number) => {
        while (size() === from) await Bun.sleep(1);
      };
      await grows(0);
      await task.freeze(true);
      const frozen = size();
      await task.stats();
      expect(size()).toBe(frozen);
      await task.freeze(false);
      await grows(frozen);
    });

    test("a namespace can be shared", async () => {
      await using first = await started("hostname shared; sleep 1000", {
        options: { capAdd: ["SYS_ADMIN"], seccomp: "unconfined" },
      });
      const isNamed = async () => {
        using uts = first.openNamespace("uts");
        const namespaces = { uts: { path: descriptorPath(uts) } };
        const other = await bench.tasks.create(inputOf("hostname", { options: { namespaces } }));
        return (await run(other)).output;
      };
      let seen = await isNamed();
      while (seen === "task\n") seen = await isNamed();
      expect(seen).toBe("shared\n");
      await first.killAll();
      await first.released;
      expect(() => first.openNamespace("uts")).toThrow("has ended");
    });

    test("a log tells of its rotations, can be held back from them, and takes compressed files in", async () => {
      const path = bench.path("rotated.log");
      const stdio = { ...pipes, stdin: true, stdinOnce: true };
      const task = await started("cat", { stdio, log: { path, maxSize: 100n, maxFiles: 3 } });
      const { input, output } = await task.attach({ ...outputs, stdin: true });
      output.resume();
      const size = () => statSync(path).size;
      using log = await task.openLog();
      await log.rotated();
      {
        using holder = await task.openLog();
        await holder.hold();
        input.write("held\nback\nand\n");
        while (size() < 200) await Bun.sleep(1);
        expect(existsSync(`${path}.1`)).toBe(false);
      }
      input.write("on\n");
      await log.rotated();
      const inode = statSync(`${path}.1`, { bigint: true }).ino;
      writeFileSync(`${path}.gz`, "compressed");
      expect(await log.replace(inode)).toBe(true);
      expect(readFileSync(`${path}.1.gz`, "utf8")).toBe("compressed");
      expect([existsSync(`${path}.1`), existsSync(`${path}.gz`)]).toEqual([false, false]);
      expect(await log.replace(inode)).toBe(false);
      input.write("two\nmore\n");
      await log.rotated();
      expect(readFileSync(`${path}.2.gz`, "utf8")).toBe("compressed");
      input.end();
      expect(await faultOf(log.rotated())).toMatchObject({ code: "unavailable" });
      await task.released;
      expect(await faultOf(task.openLog())).toMatchObject({ code: "unavailable" });
    });

    describe("adopt", () => {
      test("a task outlives the process that started it", async () => {
        const stdio = { ...pipes, stdin: true, stdinOnce: true };
        const task = await started("cat; exit 5", { stdio });
        const { id, pid, startTime } = task;
        await task[Symbol.asyncDispose]();

        const later = bench.reopen();
        expect(await later.adopt({ id, pid, startTime: startTime + 1n })).toBeUndefined();
        expect(await later.adopt({ id, pid: pid + 1, startTime })).toBeUndefined();
        await using adopted = await later.adopt({ id, pid, startTime });
        if (!adopted) throw new Error("the task was not found");
        expect(await adopted.pids()).toContain(pid);
        expect(await faultOf(adopted.start())).toMatchObject({ code: "conflict" });
        const { input, output } = await adopted.attach({ ...outputs, stdin: true });
        input.end("to the later one\n");
        expect(unframe(await all(output))).toBe("to the later one\n");
        expect(await adopted.exited).toMatchObject({ id, exitCode: 5 });
        await adopted.released;
        expect(await later.adopt({ id, pid, startTime })).toBeUndefined();
      });

      test("an end while no engine runs is in the exit record until that is removed", async () => {
        const task = await started("exit 6");
        const { id, pid, startTime } = task;
        await task.released;
        await task[Symbol.asyncDispose]();
        const later = bench.reopen();
        expect(await later.adopt({ id, pid, startTime })).toBeUndefined();
        await later.remove(id, { keepExitRecord: true });
        expect(await later.exitRecord(id)).toMatchObject({ id, exitCode: 6 });
        await later.remove(id);
        await later.remove(id);
        expect(await later.exitRecord(id)).toBeUndefined();
      });
    });

    test("remove ends a task that runs, sweep all tasks but the ones named", async () => {
      await using kept = await started("sleep 1000");
      await using swept = await started("sleep 1000");
      await using removed = await started("sleep 1000");
      await bench.tasks.remove(removed.id);
      expect(await removed.exited).toMatchObject({ exitCode: 137 });
      await bench.tasks.sweep(new Set([kept.id]));
      expect(await swept.exited).toMatchObject({ exitCode: 137 });
      expect(await kept.pids()).toEqual([kept.pid]);
      await kept.kill(9);
      expect(await kept.exited).toMatchObject({ exitCode: 137, signal: 9 });
      expect(isFault(await faultOf(removed.kill(9)), "not_found")).toBe(true);
    });
  });
}
