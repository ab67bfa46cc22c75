import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import {
  attach,
  connectMonitor,
  type ExitRecord,
  encodePlan,
  openHelper,
  readExitRecord,
} from "#helper";
import { type Fd, O_RDONLY, openat2 } from "#kernel";
import { openCgroups } from "#runtime";
import { bind, filesystem, LaunchBench, runToEnd, start } from "../support/launch-plan.ts";
import { leakCheck } from "../support/leak-check.ts";

const helper = openHelper();
const everything = { stdin: true, stdout: true, stderr: true };
const capabilityNone = { bounding: 0n, effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n };

let bench = new LaunchBench();
let leaks = leakCheck();

beforeEach(() => {
  expect(process.getuid?.()).toBe(0);
  bench = new LaunchBench();
  leaks = leakCheck();
});

afterEach(async () => {
  await leaks.settled();
  bench[Symbol.dispose]();
});

interface LogLine {
  readonly log: string;
  readonly stream: string;
  readonly time: string;
}

function logLines(path: string): LogLine[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** Runs a shell script and gives what it wrote to standard output, from the log. */
async function output(
  script: string,
  change: Parameters<LaunchBench["plan"]>[1] = {},
  fds: readonly Fd[] = [],
): Promise<{ out: string; err: string; exit: ExitRecord }> {
  const plan = bench.plan(["sh", "-c", script], change);
  const exit = await runToEnd(helper, plan, fds);
  const lines = existsSync(plan.log?.path ?? "") ? logLines(plan.log?.path ?? "") : [];
  const of = (stream: string) =>
    lines
      .filter((line) => line.stream === stream)
      .map((line) => line.log)
      .join("");
  return { out: of("stdout"), err: of("stderr"), exit };
}

/** The payloads of Docker's framed stream, of both streams in order. */
function unframe(bytes: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const length = bytes.readUInt32BE(at + 4);
    parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(parts).toString("utf8");
}

async function all(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Reads until the text has come. */
async function until(stream: Duplex, wanted: string): Promise<string> {
  let got = "";
  while (!got.includes(wanted)) {
    const chunk: Buffer | null = stream.read();
    if (chunk) got += chunk.toString("utf8");
    else if (stream.readableEnded) throw new Error(`the stream ended before "${wanted}": ${got}`);
    else await delay(5);
  }
  return got;
}

describe("run", () => {
  test("a program sees its own namespaces and leaves output, exit code and record", async () => {
    const plan = bench.plan([
      "sh",
      "-c",
      "hostname; echo $$; echo /proc/self/fd/*; echo no >&2; exit 7",
    ]);
    const exit = await runToEnd(helper, plan);
    expect(exit).toMatchObject({ id: plan.id, exitCode: 7, signal: 0, oomKilled: false });
    expect(exit.startedAt).toBeLessThan(exit.finishedAt);
    expect(await readExitRecord(bench.path(`${plan.id}.exit`))).toEqual(exit);
    expect(existsSync(bench.path(`${plan.id}.sock`))).toBe(false);
    const lines = logLines(bench.path(`${plan.id}.log`));
    expect(lines.map(({ stream, log }) => `${stream} ${log}`).sort()).toEqual([
      "stderr no\n",
      "stdout /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n",
      "stdout 1\n",
      "stdout launched\n",
    ]);
    for (const { time } of lines)
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
  });

  test("the host's mounts are gone, the plan's are there with their attributes", async () => {
    writeFileSync(bench.path("file"), "bound");
    const { out } = await output("cat /proc/mounts; cat /etc/deep/file; stat -c %n /inside/made", {
      mounts: bench.mounts(
        bind(bench.path("file"), "/etc/deep/file", {
          create: "file",
          attributes: { set: 1, clear: 0 },
        }),
        filesystem("tmpfs", "/inside/made", [["size", "1m"]]),
      ),
    });
    const mounts = out
      .split("\n")
      .filter((line) => line.includes(" / ") || line.includes("/inside"));
    expect(mounts).toHaveLength(3);
    expect(out).toMatch(/tmpfs \/inside\/made tmpfs rw,nosuid,nodev,noexec,/);
    expect(out).toMatch(/ \/etc\/deep\/file \S+ ro,/);
    expect(out).toContain("bound/inside/made");
    expect(out).not.toContain(bench.path("anchor"));
  });

  test("a symlink of the image never leads a mount out of the root", async () => {
    mkdirSync(bench.path("outside"));
    symlinkSync(`../../../..${bench.path("outside")}`, join(bench.root, "up"));
    symlinkSync(bench.path("outside"), join(bench.root, "away"));
    const { exit } = await output("test -d /away/made && test -d /up/made", {
      mounts: bench.mounts(filesystem("tmpfs", "/away/made"), filesystem("tmpfs", "/up/made")),
    });
    expect(exit.exitCode).toBe(0);
    expect(readdirSync(bench.path("outside"))).toEqual([]);
    expect(existsSync(join(bench.root, bench.path("outside")))).toBe(true);
  });

  test("masked paths are empty, read-only paths and the root cannot be written", async () => {
    mkdirSync(join(bench.root, "secrets"));
    writeFileSync(join(bench.root, "secrets/key"), "secret");
    writeFileSync(join(bench.root, "secret"), "secret");
    const { out } = await output(
      "ls /secrets; cat /secret; touch /x || echo root; touch /tmp/x || echo tmp; echo 1 > /proc/sys/vm/swappiness || echo sysctl",
      {
        maskedPaths: ["/secrets", "/secret", "/missing"],
        readonlyPaths: ["/proc/sys", "/missing"],
        rootReadonly: true,
        mounts: bench.mounts(filesystem("tmpfs", "/tmp")),
      },
    );
    expect(out).toBe("root\nsysctl\n");
  });

  test("user, groups, limits, umask, directory and capabilities are the plan's", async () => {
    const { out } = await output(
      "id; umask; pwd; busybox grep -E 'Cap|NoNewPrivs' /proc/self/status; ulimit -n; cat /proc/self/oom_score_adj; echo x > /dev/fd/1",
      {
        process: {
          ...bench.plan(["sh"]).process,
          argv: [
            "sh",
            "-c",
            "id; umask; pwd; busybox grep -E 'Cap|NoNewPrivs' /proc/self/status; ulimit -n; cat /proc/self/oom_score_adj; echo x > /dev/fd/1",
          ],
          env: ["PATH=/bin"],
          cwd: "/srv/made",
          uid: 1000,
          gid: 100,
          additionalGids: [5, 7],
          umask: 0o27,
        },
        capabilities: {
          ...capabilityNone,
          bounding: 0x421n,
          permitted: 0x1n,
          effective: 0x1n,
          inheritable: 0x1n,
          ambient: 0x1n,
        },
        noNewPrivileges: true,
        resourceLimits: [{ resource: 7, soft: 512n, hard: 600n }],
        oomScoreAdj: 321,
      },
    );
    expect(out.split("\n")).toEqual([
      "uid=1000 gid=100 groups=5,7",
      "0027",
      "/srv/made",
      "CapInh:\t0000000000000001",
      "CapPrm:\t0000000000000001",
      "CapEff:\t0000000000000001",
      "CapBnd:\t0000000000000421",
      "CapAmb:\t0000000000000001",
      "NoNewPrivs:\t1",
      "512",
      "321",
      "x",
      "",
    ]);
  });

  test("sysctls of the container's namespaces are set, the host's stay", async () => {
    const path = "/proc/sys/net/ipv4/ip_forward";
    const before = readFileSync(path, "utf8");
    const wanted = before.trim() === "1" ? "0" : "1";
    const { out } = await output(`cat ${path}`, {
      sysctls: [{ name: "net.ipv4.ip_forward", value: wanted }],
    });
    expect(out.trim()).toBe(wanted);
    expect(readFileSync(path, "utf8")).toBe(before);
  });

  test.each([true, false])("a seccomp filter holds (no_new_privs %p)", async (noNewPrivileges) => {
    // struct sock_filter as u16 code, u8 jump if true, u8 if false, u32 value: mkdir is EPERM.
    const mkdir = process.arch === "x64" ? 83 : 34;
    const filter = new Uint8Array([
      ...[0x20, 0, 0, 0, 0, 0, 0, 0],
      ...[0x15, 0, 0, 1, mkdir, 0, 0, 0],
      ...[0x06, 0, 0, 0, 1, 0, 5, 0],
      ...[0x06, 0, 0, 0, 0, 0, 0xff, 0x7f],
    ]);
    const { out } = await output(
      "busybox mkdir /tmp/x || echo refused; busybox grep Seccomp: /proc/self/status",
      {
        seccomp: filter,
        noNewPrivileges,
      },
    );
    expect(out).toBe("refused\nSeccomp:\t2\n");
  });
});

describe("a launch that fails", () => {
  test.each([
    [
      "not in PATH",
      ["nope"],
      127,
      { stage: "exec", code: "not_found", errno: "ENOENT" },
      "executable file not found in $PATH",
    ],
    [
      "a path that is not there",
      ["/nope"],
      127,
      { stage: "exec", errno: "ENOENT" },
      "stat /nope: no such file",
    ],
    [
      "a file without permission",
      ["/etc/plain"],
      126,
      { stage: "exec", errno: "EACCES" },
      "permission denied",
    ],
    ["a directory", ["/etc"], 126, { stage: "exec", errno: "EISDIR" }, "is a directory"],
    ["no interpreter", ["/etc/script"], 127, { stage: "exec", errno: "ENOENT" }, "interpreter"],
    [
      "no executable format",
      ["/etc/text"],
      126,
      { stage: "exec", errno: "ENOEXEC" },
      "exec format error",
    ],
  ] as const)("%s", async (_name, argv, exitCode, fault, message) => {
    writeFileSync(join(bench.root, "etc/plain"), "", { mode: 0o644 });
    writeFileSync(join(bench.root, "etc/script"), "#!/nowhere\n", { mode: 0o755 });
    writeFileSync(join(bench.root, "etc/text"), "text", { mode: 0o755 });
    for (const init of [false, true]) {
      const plan = bench.plan(argv, { init });
      await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
      launch.go();
      await expect(launch.started).rejects.toMatchObject(fault);
      await expect(launch.started).rejects.toThrow(message);
      const exit = await launch.exited;
      expect(exit).toMatchObject({ exitCode, startedAt: 0n, error: { stage: "exec" } });
      await launch.monitorExited;
      expect(await readExitRecord(bench.path(`${plan.id}.exit`))).toEqual(exit);
    }
  });

  test.each([
    ["mount", { mounts: [filesystem("nofs", "/x")] }, "mount nofs at /x", "ENODEV"],
    ["mount", { mounts: [filesystem("tmpfs", "/x", [["nope", "1"]])] }, "option nope", "EINVAL"],
    ["mount", { mounts: [bind("/nowhere", "/x")] }, "bind /nowhere at /x", "ENOENT"],
    ["mount", { mounts: [bind("/etc", "/bin/busybox/x")] }, "/bin/busybox/x", "ENOTDIR"],
    ["sysctl", { sysctls: [{ name: "net.nope", value: "1" }] }, "sysctl net.nope", "ENOENT"],
    ["sysctl", { sysctls: [{ name: "../../tmp/x", value: "1" }] }, "sysctl", "EINVAL"],
    ["cwd", { cwd: "/bin/busybox" }, "working directory /bin/busybox", "ENOTDIR"],
    [
      "limit",
      { resourceLimits: [{ resource: 7, soft: 9n, hard: 8n }] },
      "resource limit 7",
      "EINVAL",
    ],
    ["seccomp", { seccomp: new Uint8Array(8) }, "filter of 1 instructions", "EINVAL"],
    ["log", { log: { path: "/nowhere/log", maxSize: 0n, maxFiles: 1 } }, "/nowhere/log", "ENOENT"],
    ["monitor", { controlSocket: "/nowhere/socket" }, "/nowhere/socket", "ENOENT"],
    ["namespaces", { uidMaps: [{ inside: 0, outside: 0, count: 1 }] }, "user namespaces", "ENOSYS"],
    ["plan", { oomEvent: 3 }, "1 are inherited", "EBADF"],
  ] as const)("in stage %s (%#)", async (stage, change, message, errno) => {
    const { mounts, cwd, ...rest } = { mounts: [], cwd: undefined, ...change } as {
      mounts: ReturnType<typeof filesystem>[];
      cwd?: string;
    };
    const base = bench.plan(["true"], rest);
    const plan = { ...base, mounts: bench.mounts(...mounts) };
    if (cwd !== undefined && base.process) plan.process = { ...base.process, cwd };
    using any = openat2(undefined, "/dev/null", { flags: O_RDONLY });
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [any] });
    launch.go();
    await expect(launch.started).rejects.toMatchObject({ stage, errno });
    await expect(launch.started).rejects.toThrow(message);
    await launch.monitorExited;
  });

  test("a filter that forbids everything leaves no process behind", async () => {
    const refuseAll = new Uint8Array([0x06, 0, 0, 0, 1, 0, 5, 0]);
    const exit = await runToEnd(helper, bench.plan(["true"], { seccomp: refuseAll }));
    expect(exit.signal).toBeGreaterThan(0);
  });

  test("nothing of a launch that is abandoned before GO is left", async () => {
    const plan = bench.plan(["touch", "/ran"]);
    const launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    const { pid } = await launch.created;
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await launch[Symbol.asyncDispose]();
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    await expect(launch.started).rejects.toMatchObject({ code: "canceled" });
    expect(existsSync(bench.path(`${plan.id}.sock`))).toBe(false);
    expect(existsSync(bench.path(`${plan.id}.exit`))).toBe(false);
    expect(existsSync(join(bench.root, "ran"))).toBe(false);
  });

  test("bytes that are no plan are refused", async () => {
    await using launch = helper.launch({ plan: Buffer.alloc(64, "x"), fds: [] });
    await expect(launch.created).rejects.toMatchObject({ stage: "plan" });
    await launch.monitorExited;
  });
});

describe("the monitor", () => {
  test("outlives the engine that started it and loses nothing", async () => {
    const plan = bench.plan(["sh", "-c", "echo one; read line; echo $line; exit 5"], {
      stdio: { mode: "pipes", stdin: true, stdinOnce: true },
    });
    writeFileSync(bench.path("plan"), encodePlan(plan));
    const script = join(import.meta.dir, "../support/launch-orphan.ts");
    const engine = Bun.spawn([process.execPath, script, bench.path("plan")], { stdout: "pipe" });
    const said = await engine.stdout.getReader().read();
    expect(Buffer.from(said.value ?? []).toString()).toBe("started\n");
    process.kill(engine.pid, "SIGKILL");
    await engine.exited;

    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    const status = await monitor.status();
    expect(status).toMatchObject({ id: plan.id, state: "running", version: 1, droppedLines: 0n });
    process.kill(status.monitorPid, "SIGTERM");
    process.kill(status.monitorPid, "SIGHUP");
    const { promise: exited, resolve } = Promise.withResolvers<ExitRecord>();
    monitor.watch({ onOom: () => undefined, onExit: resolve });
    const streams = await attach(bench.path(`${plan.id}.sock`), everything);
    streams.end("two\n");
    const seen = unframe(await all(streams));
    expect(await exited).toMatchObject({ id: plan.id, exitCode: 5 });
    await monitor.closed;
    expect(seen).toBe("two\n");
    expect(logLines(bench.path(`${plan.id}.log`)).map(({ log }) => log)).toEqual([
      "one\n",
      "two\n",
    ]);
    expect(await readExitRecord(bench.path(`${plan.id}.exit`))).toMatchObject({ exitCode: 5 });
    // The orphan of this machine's init: what is left of it would be seen by the leak check.
  });

  test("an attach before GO misses no byte, and its end is the program's end of input", async () => {
    const plan = bench.plan(["sh", "-c", "echo first; cat; echo last >&2"], {
      stdio: { mode: "pipes", stdin: true, stdinOnce: true },
    });
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    await launch.created;
    const socket = bench.path(`${plan.id}.sock`);
    const streams = await attach(socket, everything);
    const errors = await attach(socket, { stdin: false, stdout: false, stderr: true });
    launch.go();
    streams.end("x".repeat(300_000));
    const [both, only] = await Promise.all([all(streams), all(errors)]);
    expect(unframe(both)).toBe(`first\n${"x".repeat(300_000)}last\n`);
    expect(unframe(only)).toBe("last\n");
    expect(only[0]).toBe(2);
    await launch.monitorExited;
  });

  test("input without stdinOnce stays open from client to client until it is closed", async () => {
    const plan = bench.plan(["cat"], { stdio: { mode: "pipes", stdin: true, stdinOnce: false } });
    await using launch = await start(helper, plan);
    const socket = bench.path(`${plan.id}.sock`);
    for (const line of ["one\n", "two\n"]) {
      const streams = await attach(socket, everything);
      streams.end(line);
      expect((await until(streams, line)).slice(8)).toBe(line);
      streams.destroy();
    }
    using monitor = await connectMonitor(socket);
    await monitor.closeStdin();
    expect((await launch.exited).exitCode).toBe(0);
    await launch.monitorExited;
  });

  test("a client that does not read makes the program wait, and loses nothing", async () => {
    const plan = bench.plan(["sh", "-c", "seq 200000; echo done >&2"]);
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    await launch.created;
    const streams = await attach(bench.path(`${plan.id}.sock`), everything);
    launch.go();
    await launch.started;
    const waiting = await Promise.race([launch.exited, delay(300, "waits")]);
    expect(waiting).toBe("waits");
    const seen = unframe(await all(streams));
    const wanted = `${Array.from({ length: 200_000 }, (_, i) => i + 1).join("\n")}\ndone\n`;
    expect(seen === wanted).toBe(true);
    await launch.monitorExited;
    const logged = logLines(bench.path(`${plan.id}.log`))
      .map(({ log }) => log)
      .join("");
    expect(logged === wanted).toBe(true);
  });

  test("a client that goes away stops nothing", async () => {
    const plan = bench.plan(["sh", "-c", "seq 100000; exit 3"]);
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    await launch.created;
    const streams = await attach(bench.path(`${plan.id}.sock`), everything);
    launch.go();
    await launch.started;
    await delay(50);
    streams.destroy();
    expect((await launch.exited).exitCode).toBe(3);
    await launch.monitorExited;
    expect(logLines(bench.path(`${plan.id}.log`))).toHaveLength(100_000);
  });

  test("a terminal has its size, follows resizes and carries raw bytes", async () => {
    const script =
      "tty; stty size; trap 'stty size; exit 4' WINCH; echo ready; while :; do read x; done";
    const plan = bench.plan(["sh", "-c", script], {
      stdio: { mode: "pty", stdin: true, stdinOnce: true, rows: 33, columns: 77 },
    });
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    await launch.created;
    const socket = bench.path(`${plan.id}.sock`);
    const streams = await attach(socket, everything);
    launch.go();
    expect(await until(streams, "ready")).toContain("/dev/pts/0\r\n33 77\r\n");
    using monitor = await connectMonitor(socket);
    await monitor.resize(44, 99);
    expect(await until(streams, "44 99")).toBeDefined();
    expect((await launch.exited).exitCode).toBe(4);
    streams.destroy();
    await launch.monitorExited;
  });

  test("a terminal without size is resized before GO; the console is the terminal", async () => {
    const plan = bench.plan(
      ["sh", "-c", "stty size; stat -c %t:%T /dev/console; echo hi > /dev/console"],
      {
        stdio: { mode: "pty", stdin: false, stdinOnce: false },
      },
    );
    await using launch = helper.launch({ plan: encodePlan(plan), fds: [] });
    await launch.created;
    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    await monitor.resize(11, 22);
    launch.go();
    await launch.exited;
    await launch.monitorExited;
    const logged = logLines(bench.path(`${plan.id}.log`)).map(({ log }) => log);
    expect(logged).toEqual(["11 22\r\n", "88:0\r\n", "hi\r\n"]);
  });

  test("signals go to the process; what it cannot take is an error", async () => {
    const plan = bench.plan([
      "sh",
      "-c",
      "trap 'exit 9' USR1; echo up; while :; do sleep 0.01; done",
    ]);
    await using launch = await start(helper, plan);
    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    await expect(monitor.signal(65)).rejects.toMatchObject({ code: "invalid" });
    await expect(monitor.resize(1, 1)).rejects.toMatchObject({ code: "invalid" });
    while (
      !existsSync(bench.path(`${plan.id}.log`)) ||
      logLines(bench.path(`${plan.id}.log`)).length === 0
    )
      await delay(5);
    await monitor.signal(10);
    expect((await launch.exited).exitCode).toBe(9);
    await launch.monitorExited;
  });

  test("killed by a signal is 128 and its number", async () => {
    const plan = bench.plan(["sleep", "100"]);
    await using launch = await start(helper, plan);
    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    await monitor.signal(9);
    expect(await launch.exited).toMatchObject({ exitCode: 137, signal: 9 });
    await launch.monitorExited;
  });

  test("rubbish on the control socket harms nobody", async () => {
    const plan = bench.plan(["sleep", "100"]);
    await using launch = await start(helper, plan);
    const socket = bench.path(`${plan.id}.sock`);
    for (const bytes of [
      Buffer.alloc(64, 0xff),
      Buffer.from([99, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from([1, 2]),
    ]) {
      const connection = await Bun.connect({ unix: socket, socket: { data: () => undefined } });
      connection.write(bytes);
      connection.flush();
      await delay(10);
      connection.end();
    }
    using monitor = await connectMonitor(socket);
    expect(await monitor.status()).toMatchObject({ state: "running" });
    await monitor.signal(9);
    await launch.monitorExited;
  });
});

describe("the log", () => {
  test("long lines come in parts of 16 KiB, invalid bytes as U+FFFD, controls escaped", async () => {
    const { exit } = await output(
      "head -c 40000 /dev/zero | busybox tr '\\0' a; echo; printf 'ä\\377<\\t\\033\"\\\\\\n'; printf end",
      { id: "long" },
    );
    expect(exit.exitCode).toBe(0);
    const lines = logLines(bench.path("long.log"));
    expect(lines.map(({ log }) => log.length)).toEqual([16384, 16384, 40000 - 32768 + 1, 8, 3]);
    expect(lines[3]?.log).toBe('ä\ufffd<\t\u001b"\\\n');
    expect(lines[4]?.log).toBe("end");
    expect(lines[1]?.time).toBe(lines[0]?.time ?? "");
    const raw = readFileSync(bench.path("long.log"), "utf8");
    expect(raw).toContain('ä\\ufffd\\u003c\\u0009\\u001b\\"\\\\\\n","stream"');
  });

  test("is rotated at its size and keeps so many files", async () => {
    await output("seq 1000", {
      id: "turn",
      log: { path: bench.path("turn.log"), maxSize: 4096n, maxFiles: 3 },
    });
    const files = readdirSync(bench.directory)
      .filter((name) => name.startsWith("turn.log"))
      .sort();
    expect(files).toEqual(["turn.log", "turn.log.1", "turn.log.2"]);
    const logged = [2, 1, 0].flatMap((n) =>
      logLines(bench.path(n === 0 ? "turn.log" : `turn.log.${n}`)),
    );
    const numbers = logged.map(({ log }) => Number(log));
    expect(numbers.at(-1)).toBe(1000);
    expect(numbers).toEqual(numbers.map((_, i) => 1000 - numbers.length + 1 + i));
    for (const name of files)
      expect(readFileSync(bench.path(name)).byteLength).toBeLessThan(4096 + 128);
  });

  test("is opened anew for who has moved it away", async () => {
    const plan = bench.plan(["sh", "-c", "echo one; read x; echo two"], {
      stdio: { mode: "pipes", stdin: true, stdinOnce: true },
    });
    await using launch = await start(helper, plan);
    const path = bench.path(`${plan.id}.log`);
    while (logLines(path).length === 0) await delay(5);
    const { renameSync } = await import("node:fs");
    renameSync(path, `${path}.moved`);
    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    await monitor.reopenLog();
    const streams = await attach(bench.path(`${plan.id}.sock`), everything);
    streams.end("\n");
    await launch.exited;
    streams.destroy();
    await launch.monitorExited;
    expect(logLines(path).map(({ log }) => log)).toEqual(["two\n"]);
    expect(logLines(`${path}.moved`).map(({ log }) => log)).toEqual(["one\n"]);
  });

  test("a full disk drops lines, counts them and stops nothing", async () => {
    mkdirSync(bench.path("small"));
    const mounted = Bun.spawnSync([
      "mount",
      "-t",
      "tmpfs",
      "-o",
      "size=64k",
      "tmpfs",
      bench.path("small"),
    ]);
    expect(mounted.exitCode).toBe(0);
    try {
      const plan = bench.plan(["sh", "-c", "seq 20000; sleep 100"], {
        log: { path: bench.path("small/log"), maxSize: 0n, maxFiles: 1 },
      });
      await using launch = await start(helper, plan);
      using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
      let dropped = 0n;
      for (let last = -1n; dropped === 0n || dropped !== last; await delay(50)) {
        last = dropped;
        dropped = (await monitor.status()).droppedLines;
      }
      const kept = logLines(bench.path("small/log"));
      expect(BigInt(kept.length) + dropped).toBe(20_000n);
      expect(kept.map(({ log }) => Number(log))).toEqual(kept.map((_, i) => i + 1));
      await monitor.signal(9);
      await launch.monitorExited;
    } finally {
      Bun.spawnSync(["umount", "-l", bench.path("small")]);
    }
  });
});

describe("exec", () => {
  const kinds = ["ipc", "uts", "net", "pid", "mnt"] as const;

  function openNamespaces(pid: number): Fd[] {
    return kinds.map((kind) => openat2(undefined, `/proc/${pid}/ns/${kind}`, { flags: O_RDONLY }));
  }

  function execPlan(argv: readonly string[], change: Parameters<LaunchBench["plan"]>[1] = {}) {
    const {
      rootAnchor: _anchor,
      hostname: _name,
      ...plan
    } = bench.plan(argv, {
      mode: "exec",
      mounts: [],
      devices: [],
      symlinks: [],
      namespaces: kinds.map((kind, index) => ({ kind, join: index as never })),
      ...change,
    });
    return plan;
  }

  test("runs inside, beside process 1, and sees neither monitor nor host", async () => {
    await using launch = await start(helper, bench.plan(["sleep", "100"], { id: "first" }));
    const { pid } = await launch.created;
    using stack = new DisposableStack();
    const fds = openNamespaces(pid).map((fd) => stack.use(fd));
    const plan = execPlan([
      "sh",
      "-c",
      "hostname; busybox ps -o pid,comm; echo /proc/self/fd/*; exit 6",
    ]);
    expect((await runToEnd(helper, plan, fds)).exitCode).toBe(6);
    const seen = logLines(bench.path(`${plan.id}.log`))
      .map(({ log }) => log)
      .join("");
    expect(seen).toMatch(/^launched\nPID +COMMAND\n +1 sleep\n +\d+ sh\n +\d+ busybox\n/);
    expect(seen).toEndWith("/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n");

    const lost = execPlan(["nope"]);
    expect(await runToEnd(helper, lost, fds)).toMatchObject({ exitCode: 127 });
    const away = execPlan(["true"]);
    if (away.process) Object.assign(away, { process: { ...away.process, cwd: "/missing" } });
    expect(await runToEnd(helper, away, fds)).toMatchObject({ error: { stage: "cwd" } });

    using monitor = await connectMonitor(bench.path("first.sock"));
    await monitor.signal(9);
    await launch.monitorExited;
  });

  test("has a terminal of the container's own", async () => {
    await using launch = await start(helper, bench.plan(["sleep", "100"], { id: "first" }));
    const { pid } = await launch.created;
    using stack = new DisposableStack();
    const fds = openNamespaces(pid).map((fd) => stack.use(fd));
    const plan = execPlan(["sh", "-c", "tty; stty size"], {
      stdio: { mode: "pty", stdin: true, stdinOnce: true, rows: 12, columns: 34 },
    });
    await runToEnd(helper, plan, fds);
    const seen = logLines(bench.path(`${plan.id}.log`)).map(({ log }) => log);
    expect(seen).toEqual(["/dev/pts/0\r\n", "12 34\r\n"]);
    using monitor = await connectMonitor(bench.path("first.sock"));
    await monitor.signal(9);
    await launch.monitorExited;
  });

  test("a descendant that keeps the output open does not hold up the exit", async () => {
    await using launch = await start(helper, bench.plan(["sleep", "100"], { id: "first" }));
    const { pid } = await launch.created;
    using stack = new DisposableStack();
    const fds = openNamespaces(pid).map((fd) => stack.use(fd));
    const plan = execPlan(["sh", "-c", "sleep 100 & echo out"]);
    const exit = await Promise.race([runToEnd(helper, plan, fds), delay(3000, "held up")]);
    expect(exit).toMatchObject({ exitCode: 0 });
    expect(logLines(bench.path(`${plan.id}.log`)).map(({ log }) => log)).toEqual(["out\n"]);
    using monitor = await connectMonitor(bench.path("first.sock"));
    await monitor.signal(9);
    await launch.monitorExited;
  });
});

describe("process 1 of the helper's own", () => {
  test("reaps orphans, forwards signals, gives the exit code on and is no file to write to", async () => {
    const script =
      "trap 'exit 33' TERM; sh -c 'sleep 0.01 &'; sleep 0.1; busybox ps -o pid,stat,comm; " +
      "readlink /proc/1/exe; echo x > /proc/1/exe || echo sealed; echo up; while :; do sleep 0.01; done";
    const plan = bench.plan(["sh", "-c", script], { init: true });
    await using launch = await start(helper, plan);
    const path = bench.path(`${plan.id}.log`);
    while (!readFileSync(path, "utf8").includes("up")) await delay(10);
    const seen = logLines(path)
      .filter(({ stream }) => stream === "stdout")
      .map(({ log }) => log)
      .join("");
    expect(seen).toMatch(/ 1 S +thimble-init\n/);
    expect(seen).not.toContain(" Z ");
    expect(seen).toContain("sealed");
    using monitor = await connectMonitor(bench.path(`${plan.id}.sock`));
    await monitor.signal(15);
    expect((await launch.exited).exitCode).toBe(33);
    await launch.monitorExited;
  });

  test("a program below it that dies by a signal is 128 and its number", async () => {
    const { exit } = await output("kill -9 $$", { init: true });
    expect(exit.exitCode).toBe(137);
  });

  test("with a terminal the program is in the foreground", async () => {
    const { out, exit } = await output(
      "read x < /dev/tty & wait; busybox ps -o pid,pgid,comm; stty -a > /dev/null; echo ok",
      {
        init: true,
        stdio: { mode: "pty", stdin: false, stdinOnce: false },
      },
    );
    expect(out).toContain("ok\r\n");
    expect(exit.exitCode).toBe(0);
  });
});

describe("a sandbox", () => {
  test("holds its namespaces for others until it is told to end", async () => {
    const plan = {
      ...bench.plan(["unused"], { mode: "sandbox", id: "pod", log: undefined as never }),
      process: undefined as never,
      mounts: [],
      rootAnchor: undefined as never,
      devices: [],
      symlinks: [],
      namespaces: [{ kind: "net" }, { kind: "ipc" }, { kind: "uts" }] as const,
      stdio: { mode: "null", stdin: false, stdinOnce: false } as const,
      hostname: "pod",
    };
    await using launch = await start(helper, plan);
    const { pid } = await launch.created;
    using uts = openat2(undefined, `/proc/${pid}/ns/uts`, { flags: O_RDONLY });
    const { hostname: _name, ...member } = bench.plan(["hostname"], {
      namespaces: [{ kind: "mnt" }, { kind: "pid" }, { kind: "uts", join: 0 as never }],
      mounts: bench.mounts().filter(({ target }) => target !== "/sys"),
    });
    await runToEnd(helper, member, [uts]);
    expect(logLines(bench.path(`${member.id}.log`))[0]?.log).toBe("pod\n");
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/CapEff:\t0+\n/);
    using monitor = await connectMonitor(bench.path("pod.sock"));
    await monitor.signal(15);
    expect((await launch.exited).exitCode).toBe(0);
    await launch.monitorExited;
  });
});

test("want of memory is told at once and in the exit record", async () => {
  const cgroups = openCgroups({ instanceId: `l${process.pid}` });
  try {
    await using cgroup = await cgroups.create("oom", { memory: 16 << 20, memorySwap: 16 << 20 });
    const entry = cgroup.entry(0);
    const { fds, ...place } = entry;
    const plan = bench.plan(
      ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=64M count=1; echo dd $?; exit 3"],
      place,
    );
    await using launch = helper.launch({ plan: encodePlan(plan), fds });
    for (const fd of fds) fd.close();
    let notices = 0;
    launch.onOom(() => notices++);
    launch.go();
    const exit = await launch.exited;
    expect(notices).toBe(1);
    expect(exit).toMatchObject({ exitCode: 3, oomKilled: true });
    await launch.monitorExited;
  } finally {
    cgroups.close();
  }
});

test("names that are reserved say so", async () => {
  const path = join(import.meta.dir, "../../native/build/thimble-init");
  for (const mode of ["dns", "dial", "proxy"]) {
    const child = Bun.spawn([path, mode], { stderr: "pipe" });
    expect(await new Response(child.stderr).text()).toContain("does not support");
    expect(await child.exited).toBe(2);
  }
});
