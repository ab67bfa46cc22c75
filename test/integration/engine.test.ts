import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Fault } from "#base";
import type { Engine, EngineEvent } from "#engine";
import { createRequest } from "../support/create-request.ts";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import {
  attachAll,
  collectOutput,
  collectStreams,
  eventually,
  execIn,
  runContainer,
  startSleeper,
} from "../support/run-container.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let opened: OpenedEngine;
let engine: Engine;

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  engine = opened.engine;
  await importBusybox(engine);
});

afterAll(async () => {
  for (const { id } of engine.containers.list({ all: true, filters: {} })) {
    await engine.containers.remove(id, { force: true, volumes: false });
  }
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("no fault");
}

test("a program runs with its output, exit code and nothing else", async () => {
  const run = await runContainer(engine, ["sh", "-c", "echo out; echo err >&2; exit 7"]);
  expect(run).toMatchObject({ exitCode: 7, stdout: "out\n", stderr: "err\n" });
  const { state } = engine.containers.get(run.id);
  expect(state).toMatchObject({ status: "exited", exitCode: 7, pid: 0, error: "" });
  expect(state.finishedAt > state.startedAt).toBe(true);
});

test("--rm leaves nothing of the container", async () => {
  const run = await runContainer(engine, ["true"], { host: { AutoRemove: true } });
  expect(run.exitCode).toBe(0);
  expect((await faultOf(Promise.reject(errorOf(() => engine.containers.get(run.id))))).code).toBe(
    "not_found",
  );
  expect(existsSync(join(roots.dataRoot, "containers", run.id))).toBe(false);
});

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return new Error("nothing was thrown");
}

test("input reaches the program and ends with the client's", async () => {
  const run = await runContainer(engine, ["tr", "a-z", "A-Z"], { input: "hello\n" });
  expect(run).toMatchObject({ exitCode: 0, stdout: "HELLO\n" });
});

test("identity, environment and files are Docker's", async () => {
  const script = "id -u; id -g; id -G; pwd; hostname; env | sort; cat /etc/hosts /etc/hostname";
  const { stdout } = await runContainer(engine, ["sh", "-c", script], {
    config: { User: "app", WorkingDir: "/made/for/it", Hostname: "box", Env: ["A=1", "TERM=x"] },
  });
  const lines = stdout.split("\n");
  expect(lines.slice(0, 5)).toEqual(["1000", "1000", "1000 2000", "/made/for/it", "box"]);
  expect(lines).toContain("HOME=/home/app");
  expect(lines).toContain("HOSTNAME=box");
  expect(lines).toContain("A=1");
  expect(stdout).toContain("127.0.0.1\tlocalhost");
  expect(stdout).toMatch(/\n\d+\.\d+\.\d+\.\d+\tbox\n/);
  expect(stdout).toEndWith("box\n");
});

test.each([
  [["/nope"], "not_found", 127, "no such file or directory"],
  [["nope"], "not_found", 127, "executable file not found in $PATH"],
  [["/etc/not-executable"], "denied", 126, "permission denied"],
  [["/etc"], "denied", 126, ""],
] as const)("%j does not start", async (cmd, _code, exitCode, words) => {
  const { id } = await engine.containers.create(createRequest("busybox", cmd));
  const fault = await faultOf(engine.containers.start(id));
  expect(fault.code).toBe("invalid");
  expect(fault.stage).toBe("exec");
  expect(fault.message).toContain(words);
  const { state } = engine.containers.get(id);
  expect(state).toMatchObject({ status: "created", exitCode, pid: 0 });
  expect(state.error).toContain(words);
});

test("a failed start with --rm leaves nothing", async () => {
  const { id } = await engine.containers.create(
    createRequest("busybox", ["nope"], { host: { AutoRemove: true } }),
  );
  await faultOf(engine.containers.start(id));
  expect(() => engine.containers.get(id)).toThrow("No such container");
});

test("a signal's exit code is 128 and its number", async () => {
  const id = await startSleeper(engine, {
    config: { StopSignal: "SIGUSR1" },
    host: { Init: true },
  });
  await engine.containers.stop(id, { timeout: 5 });
  expect(engine.containers.get(id).state).toMatchObject({ status: "exited", exitCode: 138 });
});

test("stop kills a program that ignores its signal", async () => {
  const id = await startSleeper(engine);
  // Process 1 without a handler ignores SIGTERM.
  await engine.containers.stop(id, { timeout: 0 });
  expect(engine.containers.get(id).state.exitCode).toBe(137);
  expect((await faultOf(engine.containers.stop(id, {}))).code).toBe("not_modified");
  expect((await faultOf(engine.containers.kill(id, "KILL"))).code).toBe("conflict");
});

test("start, restart and the states in between", async () => {
  const id = await startSleeper(engine);
  expect((await faultOf(engine.containers.start(id))).code).toBe("not_modified");
  const first = engine.containers.get(id).state;
  await engine.containers.restart(id, { timeout: 0 });
  const second = engine.containers.get(id).state;
  expect(second.status).toBe("running");
  expect(second.pid).not.toBe(first.pid);
  expect((await faultOf(engine.containers.remove(id, { force: false, volumes: false }))).code).toBe(
    "conflict",
  );
  await engine.containers.remove(id, { force: true, volumes: false });
  expect(() => engine.containers.get(id)).toThrow("No such container");
});

test("files stay between two runs", async () => {
  const { id } = await engine.containers.create(
    createRequest("busybox", ["sh", "-c", "cat /kept 2>/dev/null; date > /kept"]),
  );
  for (const _ of [1, 2]) {
    const { result } = await engine.containers.wait(id, "next-exit");
    await engine.containers.start(id);
    await result;
  }
  const { stdout } = await collectOutput(
    engine.containers.logs(id, { follow: false, stdout: true, stderr: true, timestamps: false }),
  );
  expect(stdout).toMatch(/\d\d:\d\d/);
});

test("logs: tail, streams, timestamps and following to the end", async () => {
  const { id } = await engine.containers.create(
    createRequest("busybox", ["sh", "-c", "echo 1; echo 2 >&2; sleep 0.3; echo 3"]),
  );
  await engine.containers.start(id);
  const base = { stdout: true, stderr: true, timestamps: false } as const;
  const followed = await collectOutput(engine.containers.logs(id, { ...base, follow: true }));
  expect(followed).toEqual({ stdout: "1\n3\n", stderr: "2\n" });
  const last = await collectOutput(engine.containers.logs(id, { ...base, follow: false, tail: 1 }));
  expect(last).toEqual({ stdout: "3\n", stderr: "" });
  const stamped = await collectOutput(
    engine.containers.logs(id, { ...base, stderr: false, timestamps: true, follow: false }),
  );
  expect(stamped.stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z 1\n/);
});

test("attaching to a running container, and leaving it running", async () => {
  const { id } = await engine.containers.create(
    createRequest("busybox", ["cat"], { config: { OpenStdin: true } }),
  );
  await engine.containers.start(id);
  for (const word of ["one\n", "two\n"]) {
    await using attached = await engine.containers.attach(id, attachAll(true));
    attached.input.write(word);
    for await (const chunk of attached.output) {
      expect(Buffer.from(chunk).subarray(8).toString()).toBe(word);
      break;
    }
  }
  expect(engine.containers.get(id).state.status).toBe("running");
  await using replay = await engine.containers.attach(id, {
    ...attachAll(false),
    logs: true,
    stream: false,
  });
  expect((await collectStreams(replay)).stdout).toBe("one\ntwo\n");
});

test("a terminal: raw output, size and echo", async () => {
  const { id } = await engine.containers.create(
    createRequest("busybox", ["sh", "-c", "tty; read x; stty size"], {
      config: { Tty: true, OpenStdin: true },
    }),
  );
  await using attached = await engine.containers.attach(id, attachAll(true));
  const output = collectStreams(attached);
  await engine.containers.start(id);
  await engine.containers.resize(id, { rows: 33, columns: 101 });
  attached.input.write("\n");
  const { stdout } = await output;
  // The echo of the newline may come before what the program writes.
  expect(stdout.split("\r\n").filter(Boolean)).toEqual(["/dev/pts/0", "33 101"]);
  expect(stdout).toHaveLength("/dev/pts/0\r\n\r\n33 101\r\n".length);
});

test("a terminal has its size before the program can ask", async () => {
  const run = await runContainer(engine, ["stty", "size"], {
    config: { Tty: true },
    host: { AutoRemove: true, ConsoleSize: [24, 90] },
  });
  expect(run.stderr + run.stdout).toBe("24 90\r\n");
});

test("exec: streams, identity, exit codes", async () => {
  const id = await startSleeper(engine, { config: { Env: ["FROM=container"] } });
  expect(await execIn(engine, id, ["sh", "-c", "echo $FROM; echo x >&2; exit 3"])).toEqual({
    exitCode: 3,
    stdout: "container\n",
    stderr: "x\n",
  });
  const who = await execIn(engine, id, ["sh", "-c", "id -u; pwd; ps | grep -c sleep"], {
    user: "app",
    workingDir: "/tmp",
  });
  expect(who.stdout.split("\n").slice(0, 2)).toEqual(["1000", "/tmp"]);
  for (const [change, stage, exitCode] of [
    [{ argv: ["nope"] }, "exec", 127],
    [{ argv: [""] }, "exec", 127],
    [{ argv: ["/etc/not-executable"] }, "exec", 126],
    [{ argv: ["/etc/not-executable/x"] }, "exec", 127],
    [{ workingDir: "/nope" }, "cwd", 127],
    [{ workingDir: "tmp" }, "cwd", 128],
    [{ env: ["=x"] }, "environment", 128],
  ] as const) {
    const exec = await engine.execs.create(id, { ...execDefaults, ...change });
    const fault = await faultOf(engine.execs.start(exec, { detach: false }));
    expect({ change, stage: fault.stage }).toEqual({ change, stage });
    expect(engine.execs.get(exec)).toMatchObject({ running: false, exitCode });
  }
  for (const user of ["nobodyhere", "app:nogroup9"]) {
    const refused = await faultOf(engine.execs.create(id, { ...execDefaults, user }));
    expect(refused).toMatchObject({
      code: "invalid",
      message: expect.stringMatching(/^unable to find (user|group)/),
    });
  }
  await engine.containers.kill(id, "KILL");
  expect((await faultOf(engine.execs.create(id, execDefaults))).code).toBe("conflict");
});

const execDefaults = {
  argv: ["true"],
  env: [],
  workingDir: "",
  user: "",
  privileged: false,
  tty: false,
  attachStdin: false,
  attachStdout: true,
  attachStderr: true,
};

test("a privileged exec has all capabilities below the container's own filter, as in Docker", async () => {
  const id = await startSleeper(engine);
  const script = "grep -E '^(CapEff|Seccomp):' /proc/self/status";
  const { stdout } = await execIn(engine, id, ["sh", "-c", script], { privileged: true });
  const own = readFileSync("/proc/self/status", "utf8");
  expect(stdout).toContain(/^CapEff:.*$/m.exec(own)?.[0] ?? "none");
  expect(stdout).toContain("Seccomp:\t2");
  await engine.containers.kill(id, "KILL");
});

test("an export opens no device and runs no program that the container may put in a file's place", async () => {
  const { id } = await engine.containers.create(createRequest("busybox", ["true"], {}));
  const chunks = engine.containers.export(id)[Symbol.asyncIterator]();
  await chunks.next();
  const mounted = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((line) => line.includes(`${roots.runRoot}/views/`));
  await chunks.return?.();
  const options = mounted?.split(" ")[5]?.split(",");
  expect(options).toEqual(expect.arrayContaining(["ro", "nosuid", "nodev", "noexec"]));
});

test("an exec ends with its container", async () => {
  const id = await startSleeper(engine);
  const exec = await engine.execs.create(id, { ...execDefaults, argv: ["sleep", "1000"] });
  const attached = await engine.execs.start(exec, { detach: false });
  const output = attached && collectStreams(attached);
  await engine.containers.kill(id, "KILL");
  await output;
  const { exitCode } = await eventually(
    () => (engine.execs.get(exec).exitCode === undefined ? undefined : engine.execs.get(exec)),
    "the exec's end",
  );
  expect(exitCode).toBe(137);
});

test("the memory limit kills, and says so", async () => {
  const stop = new AbortController();
  const seen: EngineEvent[] = [];
  const listening = (async () => {
    const events = engine.events.subscribe({
      filters: { event: ["oom", "die"] },
      signal: stop.signal,
    });
    for await (const event of events) seen.push(event);
  })();
  const run = await runContainer(engine, ["tail", "/dev/zero"], {
    host: { Memory: 8 << 20, MemorySwap: 8 << 20 },
  });
  expect(run.exitCode).toBe(137);
  expect(engine.containers.get(run.id).state.oomKilled).toBe(true);
  stop.abort();
  await listening;
  expect(seen.filter(({ id }) => id === run.id).map(({ action }) => action)).toContain("oom");
});

test("without the OOM killer, want of memory is told while the container waits", async () => {
  const stop = new AbortController();
  const events = engine.events.subscribe({ filters: { event: ["oom"] }, signal: stop.signal });
  const seen = events[Symbol.asyncIterator]().next();
  const host = { Memory: 8 << 20, MemorySwap: 8 << 20, OomKillDisable: true };
  const { id } = await engine.containers.create(
    createRequest("busybox", ["sh", "-c", "s=0123456789; while :; do s=$s$s; done"], { host }),
  );
  await engine.containers.start(id);
  expect((await seen).value).toMatchObject({ id, action: "oom" });
  const { cgroupVersion } = await engine.info();
  // Version 2 cannot switch the killer off.
  if (cgroupVersion === 1)
    expect(engine.containers.get(id).state).toMatchObject({ status: "running", oomKilled: true });
  await engine.containers.remove(id, { force: true, volumes: true });
  stop.abort();
});

test("the pids limit holds", async () => {
  const run = await runContainer(
    engine,
    ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait"],
    { host: { PidsLimit: 4 } },
  );
  expect(run.stderr).toContain("fork");
});

test("binds, tmpfs and a root that cannot be written", async () => {
  const source = join(roots.dataRoot, "shared");
  mkdirSync(source);
  writeFileSync(join(source, "from-host"), "host\n");
  const bind = { Type: "bind", Source: source, Target: "/shared" };
  const run = await runContainer(
    engine,
    [
      "sh",
      "-c",
      "cat /shared/from-host; echo box > /shared/from-box; touch /x; touch /scratch/y && echo ok",
    ],
    { host: { Mounts: [bind], Tmpfs: { "/scratch": "" }, ReadonlyRootfs: true } },
  );
  expect(run.stdout).toBe("host\nok\n");
  expect(run.stderr).toContain("Read-only file system");
  expect(readFileSync(join(source, "from-box"), "utf8")).toBe("box\n");
});

test("a file is bound as one, and a missing directory is made where -v asks for it", async () => {
  const file = join(roots.dataRoot, "bound-file");
  const missing = join(roots.dataRoot, "made/for/it");
  writeFileSync(file, "content\n");
  const run = await runContainer(
    engine,
    ["sh", "-c", "cat /etc/bound; ls -d /made; echo x > /etc/bound"],
    {
      host: {
        Binds: [`${file}:/etc/bound:ro`, `${missing}:/made:ro`],
      },
    },
  );
  expect(run.stdout).toBe("content\n/made\n");
  expect(run.stderr).toContain("Read-only file system");
  expect(existsSync(missing)).toBe(true);
});

test("networks: none, host, another container's", async () => {
  const list = ["ls", "/sys/class/net"];
  expect((await runContainer(engine, list, { host: { NetworkMode: "none" } })).stdout).toBe("lo\n");
  const host = await runContainer(engine, list, { host: { NetworkMode: "host" } });
  expect(host.stdout).toContain("lo");
  expect(host.stdout).not.toBe("lo\n");
  const id = await startSleeper(engine, { config: { Hostname: "owner" } });
  const shared = await runContainer(
    engine,
    ["sh", "-c", "hostname; cat /etc/hostname; ip -o -4 addr"],
    {
      host: { NetworkMode: `container:${id}` },
    },
  );
  const address = engine.containers.get(id).networks[0]?.address ?? "none";
  expect(shared.stdout).toContain(address);
  expect(shared.stdout).toContain("owner\n");
  await engine.containers.kill(id, "KILL");
  const late = await engine.containers.create(
    createRequest("busybox", ["true"], { host: { NetworkMode: `container:${id}` } }),
  );
  expect((await faultOf(engine.containers.start(late.id))).code).toBe("conflict");
});

test("extra hosts, the host itself among them, in every network mode", async () => {
  const extraHosts = ["db:10.1.2.3", "outside:host-gateway"];
  for (const networkMode of ["default", "none", "host"]) {
    const { stdout } = await runContainer(engine, ["cat", "/etc/hosts"], {
      host: { NetworkMode: networkMode, ExtraHosts: extraHosts },
    });
    expect(stdout).toContain("10.1.2.3\tdb\n");
    expect(stdout).toMatch(/\n\d+\.\d+\.\d+\.1\toutside\n/);
  }
});

test("a container's sandbox lasts, its address is given back when it stops", async () => {
  for (const [mode, hasAddress] of [
    ["default", true],
    ["none", false],
    ["host", false],
  ] as const) {
    const { id } = await engine.containers.create(
      createRequest("busybox", ["sleep", "1000"], { host: { NetworkMode: mode } }),
    );
    const look = () => {
      const { networks, bridge, sandboxId } = engine.containers.get(id);
      const [first] = networks;
      return { ...first, bridge, sandboxId };
    };
    const network = mode === "default" ? "bridge" : mode;
    const without = { network, endpointId: "", address: "", mac: "", sandboxId: undefined };
    expect(look()).toMatchObject({ ...without, networkId: "", bridge: undefined });
    await engine.containers.start(id);
    const running = look();
    expect(running.networkId).toMatch(/^[0-9a-f]{64}$/);
    expect(running.endpointId).toMatch(/^[0-9a-f]{64}$/);
    expect(running.sandboxId).toMatch(/^[0-9a-f]{64}$/);
    expect(running.address !== "").toBe(hasAddress);
    expect(running.bridge ?? "").toMatch(hasAddress ? /^[a-z0-9]+$/ : /^$/);
    await engine.containers.stop(id, { timeout: 0 });
    expect(look()).toMatchObject({
      ...{ ...without, networkId: running.networkId ?? "" },
      bridge: running.bridge,
    });
    await engine.containers.start(id);
    expect(look().sandboxId).toBe(running.sandboxId);
    expect(look().endpointId).not.toBe(running.endpointId);
    await engine.containers.remove(id, { force: true, volumes: false });
  }
});

test("events tell when a container joins and leaves a network, whatever its driver", async () => {
  const seen: EngineEvent[] = [];
  const stop = new AbortController();
  const events = engine.events.subscribe({ filters: {}, signal: stop.signal });
  const listening = (async () => {
    for await (const event of events) seen.push(event);
  })();
  const modes = { default: "bridge bridge", none: "none null", host: "host host" };
  for (const [mode, network] of Object.entries(modes)) {
    const { id } = await runContainer(engine, ["true"], {
      host: { NetworkMode: mode, AutoRemove: true },
    });
    await eventually(() => seen.find((each) => each.action === "destroy"), "the last event");
    const told = seen
      .splice(0)
      .filter((each) => each.id === id || each.attributes.container === id)
      .map(({ type, action, attributes }) =>
        type === "network" ? `${action} ${attributes.name} ${attributes.type}` : action,
      );
    const order = [
      "create",
      "attach",
      `connect ${network}`,
      "start",
      `disconnect ${network}`,
      "die",
    ];
    expect(told).toEqual([...order, "destroy"]);
  }
  stop.abort();
  await listening;
});

test("two containers reach each other over the bridge", async () => {
  const id = await startSleeper(engine);
  const address = engine.containers.get(id).networks[0]?.address ?? "none";
  const run = await runContainer(engine, ["ping", "-c", "1", "-W", "2", address]);
  expect(run.exitCode).toBe(0);
});

test("nothing of a refused create stays", async () => {
  const before = engine.containers.list({ all: true, filters: {} }).length;
  const refused = [
    createRequest("nope", ["true"]),
    createRequest("busybox", ["true"], { name: "-x" }),
    createRequest("busybox", ["true"], { host: { Memory: 1 } }),
    createRequest("busybox", ["true"], { host: { CapAdd: ["NOPE"] } }),
    createRequest("busybox", ["true"], { host: { Ulimits: [{ Name: "x", Soft: 1, Hard: 1 }] } }),
  ];
  const codes: string[] = [];
  for (const request of refused)
    codes.push((await faultOf(engine.containers.create(request))).code);
  expect(codes).toEqual(["not_found", "invalid", "invalid", "invalid", "invalid"]);
  expect(engine.containers.list({ all: true, filters: {} }).length).toBe(before);
});

test("a taken name is a conflict, a rename frees it", async () => {
  const name = "taken";
  const { id } = await engine.containers.create(createRequest("busybox", ["true"], { name }));
  const again = () => engine.containers.create(createRequest("busybox", ["true"], { name }));
  expect((await faultOf(again())).code).toBe("conflict");
  await engine.containers.rename(id, "other");
  expect((await again()).id).not.toBe(id);
});

test("events of a run are Docker's, in Docker's order", async () => {
  const stop = new AbortController();
  const seen: string[] = [];
  const events = engine.events.subscribe({ filters: { container: ["seen"] }, signal: stop.signal });
  const listening = (async () => {
    for await (const { action } of events) seen.push(action);
  })();
  await runContainer(engine, ["true"], { name: "seen", host: { AutoRemove: true } });
  stop.abort();
  await listening;
  expect(seen).toEqual(["create", "attach", "start", "die", "destroy"]);
});

test("twenty at once", async () => {
  const runs = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      runContainer(engine, ["echo", `${i}`], { host: { AutoRemove: true } }),
    ),
  );
  expect(runs.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}\n`));
});

test("a --rm container can be restarted, and is removed at its end", async () => {
  const id = await startSleeper(engine, { host: { AutoRemove: true } });
  await engine.containers.restart(id, { timeout: 0 });
  expect(engine.containers.get(id).state.status).toBe("running");
  const { result } = await engine.containers.wait(id, "removed");
  await engine.containers.kill(id, "KILL");
  expect((await result).exitCode).toBe(137);
  expect(() => engine.containers.get(id)).toThrow("No such container");
});

test("a start into another's pid namespace leaves no descriptor of it open", async () => {
  const namespaces = () =>
    readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith("pid:[");
      } catch {
        return false;
      }
    }).length;
  const first = await startSleeper(engine);
  const before = namespaces();
  const second = await startSleeper(engine, { host: { PidMode: `container:${first}` } });
  expect(namespaces()).toBe(before);
  for (const id of [second, first])
    await engine.containers.remove(id, { force: true, volumes: false });
});

test("a list shows a container as one object until it changes, and each change at once", async () => {
  const id = await startSleeper(engine);
  const listed = () => {
    const found = engine.containers.list({ all: true, filters: {} }).find((each) => each.id === id);
    if (!found) throw new Error("the container is not listed");
    return found;
  };
  let before = listed();
  expect(listed()).toBe(before);
  const changed = () => {
    const after = listed();
    expect(after).not.toBe(before);
    before = after;
    return after;
  };
  await engine.containers.rename(id, "renamed");
  expect(changed().name).toBe("renamed");
  await engine.containers.pause(id);
  expect(changed().state.status).toBe("paused");
  await engine.containers.unpause(id);
  expect(changed().state.status).toBe("running");
  await engine.networks.disconnect("bridge", id, { force: false });
  expect(changed().networks).toEqual([]);
  await engine.containers.stop(id, { timeout: 0 });
  expect(changed().state.status).toBe("exited");
  await engine.containers.remove(id, { force: true, volumes: false });
});
