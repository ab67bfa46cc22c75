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
import { setTimeout as delay } from "node:timers/promises";
import { encodePlan, type FdIndex, openHelper, readExitRecord } from "#helper";
import { mountTable, O_RDONLY, openat2 } from "#kernel";
import { outcome, rejection } from "../../src/base/testing.ts";
import {
  bind,
  filesystem,
  LaunchBench,
  logLines,
  runToEnd,
  start,
} from "../support/launch-bench.ts";

const helper = openHelper();
const capabilityNone = { bounding: 0n, effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n };

let bench: LaunchBench;

beforeEach(() => {
  expect(process.getuid?.()).toBe(0);
  bench = new LaunchBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

function mount(args: readonly string[]): void {
  expect(Bun.spawnSync(["mount", ...args]).exitCode).toBe(0);
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
    const { out } = await bench.shell(
      helper,
      "cat /proc/mounts; cat /etc/deep/file; stat -c %n /inside/made",
      {
        mounts: bench.mounts(
          bind(bench.path("file"), "/etc/deep/file", {
            create: "file",
            attributes: { set: 1, clear: 0 },
          }),
          filesystem("tmpfs", "/inside/made", [["size", "1m"]]),
        ),
      },
    );
    const mounts = out
      .split("\n")
      .filter((line) => line.includes(" / ") || line.includes("/inside"));
    expect(mounts).toHaveLength(3);
    expect(out).toMatch(/tmpfs \/inside\/made tmpfs rw,nosuid,nodev,noexec,/);
    expect(out).toMatch(/ \/etc\/deep\/file \S+ ro,/);
    expect(out).toContain("bound/inside/made");
    expect(out).not.toContain(bench.path("anchor"));
  });

  test("a root by mount(2), a directory by descriptor, a tree that is read-only to its leaves", async () => {
    for (const name of ["upper", "work", "tree/leaf", "given"])
      mkdirSync(bench.path(name), { recursive: true });
    writeFileSync(bench.path("given/file"), "given");
    mount(["-t", "tmpfs", "leaf", bench.path("tree/leaf")]);
    try {
      using given = openat2(undefined, bench.path("given"), { flags: O_RDONLY });
      const data = `lowerdir=${bench.root},upperdir=${bench.path("upper")},workdir=${bench.path("work")}`;
      const [root, ...others] = bench.mounts(
        {
          ...bind("", "/given"),
          source: { kind: "bind-fd", fd: 0 as FdIndex, recursive: false },
        },
        bind(bench.path("tree"), "/tree", {
          attributes: { set: 1, clear: 0 },
          recursiveAttributes: true,
        }),
        bind(bench.path("tree"), "/top", { attributes: { set: 1, clear: 0 } }),
      );
      const plan = bench.plan(
        [
          "sh",
          "-c",
          "cat /given/file; touch /new; touch /tree/leaf/x || echo tree; touch /top/x || echo top; touch /top/leaf/x",
        ],
        {
          mounts: root
            ? [{ ...root, source: { kind: "legacy", type: "overlay", data } }, ...others]
            : [],
        },
      );
      expect(await runToEnd(helper, plan, [given])).toMatchObject({ exitCode: 0 });
      const logged = logLines(bench.path(`${plan.id}.log`)).filter(
        (each) => each.stream === "stdout",
      );
      expect(logged.map(({ log }) => log).join("")).toBe("giventree\ntop\n");
      expect(existsSync(bench.path("upper/new"))).toBe(true);
      expect(existsSync(join(bench.root, "new"))).toBe(false);
      expect(readdirSync(bench.path("tree/leaf"))).toEqual(["x"]);
    } finally {
      Bun.spawnSync(["umount", bench.path("tree/leaf")]);
    }
  });

  test("the host sees nothing of a container's mounts, even below a shared mount", async () => {
    mkdirSync(bench.path("shared"));
    mount(["-t", "tmpfs", "shared", bench.path("shared")]);
    mount(["--make-shared", bench.path("shared")]);
    try {
      mkdirSync(bench.path("shared/anchor"));
      const seen = () =>
        mountTable().filter(({ target }) => target.startsWith(`${bench.directory}/`));
      const before = seen();
      const plan = bench.plan(["sh", "-c", "mount -t tmpfs inner /mnt; sleep 100"], {
        rootAnchor: bench.path("shared/anchor"),
        mounts: bench.mounts(bind(bench.path("shared"), "/mnt")),
      });
      await using launch = await start(helper, plan);
      const { pid } = await launch.created;
      const inside = () => readFileSync(`/proc/${pid}/mountinfo`, "utf8");
      while (!inside().includes(" - tmpfs inner ")) await delay(5);
      expect(seen()).toEqual(before);
      expect(inside()).not.toContain("shared:");
      process.kill(pid, "SIGKILL");
      await launch.monitorExited;
    } finally {
      Bun.spawnSync(["umount", "-l", bench.path("shared")]);
    }
  });

  test("a symlink of the image never leads a mount out of the root", async () => {
    mkdirSync(bench.path("outside"));
    symlinkSync(`../../../..${bench.path("outside")}`, join(bench.root, "up"));
    symlinkSync(bench.path("outside"), join(bench.root, "away"));
    const { exit } = await bench.shell(helper, "test -d /away/made && test -d /up/made", {
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
    const { out } = await bench.shell(
      helper,
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
    const { out } = await bench.shell(
      helper,
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

  test("files of a program without a umask in its plan are for others to read", async () => {
    expect((await bench.shell(helper, "umask")).out).toBe("0022\n");
  });

  test("sysctls of the container's namespaces are set, the host's stay", async () => {
    const path = "/proc/sys/net/ipv4/ip_forward";
    const before = readFileSync(path, "utf8");
    const wanted = before.trim() === "1" ? "0" : "1";
    const { out } = await bench.shell(helper, `cat ${path}`, {
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
    const { out } = await bench.shell(
      helper,
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
      expect(await rejection(launch.started)).toMatchObject(fault);
      expect(await outcome(launch.started)).toThrow(message);
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
    ["plan", { oomEvent: 3 }, "1 came with it", "EBADF"],
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
    expect(await rejection(launch.started)).toMatchObject({ stage, errno });
    expect(await outcome(launch.started)).toThrow(message);
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
    expect(await rejection(launch.started)).toMatchObject({ code: "canceled" });
    expect(existsSync(bench.path(`${plan.id}.sock`))).toBe(false);
    expect(existsSync(bench.path(`${plan.id}.exit`))).toBe(false);
    expect(existsSync(join(bench.root, "ran"))).toBe(false);
  });

  test("bytes that are not a plan are refused", async () => {
    await using launch = helper.launch({ plan: Buffer.alloc(64, "x"), fds: [] });
    expect(await rejection(launch.created)).toMatchObject({ stage: "plan" });
    await launch.monitorExited;
  });
});

test("a mode that is reserved says so", async () => {
  const path = join(import.meta.dir, "../../native/build/thimble-init");
  const child = Bun.spawn([path, "dial"], { stderr: "pipe" });
  expect(await new Response(child.stderr).text()).toContain("does not support");
  expect(await child.exited).toBe(2);
});
