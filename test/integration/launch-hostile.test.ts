import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, fstatSync, mkdirSync, readFileSync, rmdirSync, symlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { isFault } from "#base";
import { encodePlan, type Helper, openHelper } from "#helper";
import { type Fd, O_RDONLY, O_WRONLY, openat2, setXattr } from "#kernel";
import { bind, LaunchBench, logLines, runToEnd, start } from "../support/launch-bench.ts";
import { execPlan, killLaunch, openNamespaces } from "../support/launch-exec.ts";
import { eventually } from "../support/run-container.ts";

const helper = openHelper();

/** Version 2, then owner, group and others, each without any permission (linux/posix_acl_xattr.h). */
const accessForNobody = Buffer.from(
  "02000000" + "01000000ffffffff" + "04000000ffffffff" + "20000000ffffffff",
  "hex",
);

let bench: LaunchBench;

beforeEach(() => {
  expect(process.getuid?.()).toBe(0);
  bench = new LaunchBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

/** Undefined while somebody runs the file. */
function openToWrite(file: Fd): Fd | undefined {
  try {
    return openat2(undefined, `/proc/self/fd/${file.number}`, { flags: O_WRONLY });
  } catch (error) {
    if (isFault(error) && error.errno === "ETXTBSY") return undefined;
    throw error;
  }
}

/** Keys that whoever reads the text may see, by serial number. */
function keyrings(text: string): { readonly serial: string; readonly name: string }[] {
  return text.split("\n").flatMap((line) => {
    const [serial, , , , , , , type, name] = line.trim().split(/\s+/);
    return serial && name && type === "keyring" ? [{ serial, name }] : [];
  });
}

describe("an image", () => {
  test.each(["proc", "sys"])(
    "whose /%s is a link cannot move what masks and read-only paths are for",
    async (name) => {
      rmdirSync(`${bench.root}/${name}`);
      mkdirSync(`${bench.root}/vol`);
      mkdirSync(`${bench.root}/hidden/${name}`, { recursive: true });
      symlinkSync("/hidden", `${bench.root}/vol/link`);
      symlinkSync(`/vol/link/${name}`, `${bench.root}/${name}`);
      mkdirSync(bench.path("volume"));
      const plan = bench.plan(["sh", "-c", "ls /hidden/*"], {
        mounts: [...bench.mounts(), bind(bench.path("volume"), "/vol")],
        maskedPaths: ["/proc/kcore"],
        readonlyPaths: ["/proc/sys"],
      });
      const exit = await runToEnd(helper, plan);
      expect(exit.error).toMatchObject({ stage: "mount" });
      expect(exit.error?.message).toContain(`/${name} is a symbolic link`);
    },
  );
});

test("a mount that an image's link leads into /proc is refused", async () => {
  symlinkSync("/proc/sys", `${bench.root}/link`);
  mkdirSync(bench.path("volume"));
  const mounts = [...bench.mounts(), bind(bench.path("volume"), "/link/kernel")];
  const { error } = await runToEnd(helper, bench.plan(["true"], { mounts }));
  expect(error?.message).toContain("cannot be mounted because it is inside /proc");
});

test("a mount's target that an image's link leads through hundreds of names is refused where it is missing", async () => {
  mkdirSync(`${bench.root}/d`);
  symlinkSync(`${"d/../".repeat(300)}far`, `${bench.root}/long`);
  symlinkSync("d/../near", `${bench.root}/short`);
  mkdirSync(bench.path("volume"));
  const mountAt = async (target: string) => {
    const mounts = [...bench.mounts(), bind(bench.path("volume"), target)];
    return await runToEnd(helper, bench.plan(["ls", "-d", target], { mounts }));
  };
  const { error } = await mountAt("/long/new");
  expect(error?.message).toBe(
    "make the mount point /long/new: too many symbolic links encountered",
  );
  expect(await mountAt("/short/new")).toMatchObject({ exitCode: 0 });
});

describe("a container with CAP_SYS_PTRACE", () => {
  test("never sees the host's files through a process that enters it", async () => {
    const spy =
      `while :; do for each in /proc/[0-9]*; do ` +
      `test -e "$each/root${bench.directory}" && echo "host seen"; done; done`;
    const spying = bench.plan(["sh", "-c", `echo up; ${spy}`], { id: "spy" });
    await using launch = await start(helper, spying);
    const log = bench.path("spy.log");
    while (!readFileSync(log, "utf8").includes("up")) await delay(5);
    using stack = new DisposableStack();
    const fds = openNamespaces((await launch.created).pid, stack);
    for (let i = 0; i < 60; i++) {
      await using entering = helper.launch({ plan: encodePlan(execPlan(bench, ["true"])), fds });
      await entering.created;
    }
    expect(new Set(logLines(log).map((line) => line.log))).toEqual(new Set(["up\n"]));
    await killLaunch(bench, "spy", launch);
  });
});

describe("exec", () => {
  test("sets its oom score with the host's eyes, whatever lies on the container's /proc", async () => {
    const script = "mount -t tmpfs none /proc; echo up; exec sleep 100";
    await using launch = await start(helper, bench.plan(["sh", "-c", script], { id: "first" }));
    while (!readFileSync(bench.path("first.log"), "utf8").includes("up")) await delay(5);
    using stack = new DisposableStack();
    const fds = openNamespaces((await launch.created).pid, stack);
    const plan = execPlan(bench, ["sleep", "100"], { oomScoreAdj: 321 });
    await using entered = await start(helper, plan, fds);
    const { pid } = await entered.created;
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8")).toBe("321\n");
    await killLaunch(bench, plan.id, entered);
    await killLaunch(bench, "first", launch);
  });
});

describe("a container that reaches the launcher's own file through /proc", () => {
  /** The inode that the monitor runs, as a `#!/proc/self/exe` script in a container finds it. */
  async function reachLauncher(using: Helper): Promise<Fd> {
    await using launch = await start(using, bench.plan(["sleep", "100"], { id: "first" }));
    const file = openat2(undefined, `/proc/${launch.monitorPid}/exe`, { flags: O_RDONLY });
    await killLaunch(bench, "first", launch);
    return file;
  }

  test("cannot take the right to run it away from later launches", async () => {
    using own = openHelper();
    using file = await reachLauncher(own);
    try {
      chmodSync(`/proc/self/fd/${file.number}`, 0);
    } catch {
      // F_SEAL_EXEC; an ACL goes past it.
      setXattr(file, "", "system.posix_acl_access", accessForNobody);
    }
    expect(fstatSync(file.number).mode & 0o777).toBe(0);
    expect(await runToEnd(own, bench.plan(["true"]))).toMatchObject({ exitCode: 0 });
  });

  test("cannot keep it open for writing until no later launch runs", async () => {
    using own = openHelper();
    using file = await reachLauncher(own);
    using _writing = await eventually(() => openToWrite(file), "the monitor's end");
    expect(await runToEnd(own, bench.plan(["true"]))).toMatchObject({ exitCode: 0 });
  });
});

test("a container has a session keyring of its own", async () => {
  const before = new Set(keyrings(readFileSync("/proc/keys", "utf8")).map((each) => each.serial));
  const { out } = await bench.shell(helper, "cat /proc/keys");
  const sessions = keyrings(out).filter(({ name }) => name.startsWith("_ses"));
  expect(sessions.filter(({ serial }) => !before.has(serial))).not.toBeEmpty();
});
