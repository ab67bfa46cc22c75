import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { openChannel } from "./channel.ts";
import { copySealed, memfdSealed, pipe, socketPair } from "./descriptors.ts";
import type { Fd } from "./fd.ts";
import { O_RDONLY, openat2, writeAll } from "./files.ts";
import { parseStartTime, pidfdOpen, startTime } from "./processes.ts";
import { type SpawnOptions, spawn } from "./spawn.ts";
import { setXattr } from "./xattrs.ts";

/** Runs a script of sh(1) and gives its standard output and how it ended. */
async function run(script: string, options: Partial<SpawnOptions> = {}) {
  const [read, write] = pipe();
  const child = spawn({
    program: "/bin/sh",
    argv: ["sh", "-c", script],
    env: { PATH: "/usr/bin:/bin" },
    ...options,
    fds: [{ fd: write, as: 1 }, ...(options.fds ?? [])],
  });
  write.close();
  const channel = openChannel(read).ref();
  let output = "";
  channel.onData((bytes) => {
    output += Buffer.from(bytes).toString();
  });
  await new Promise<void>((resolve) => channel.onEnd(() => resolve()));
  channel.close();
  return { output: output.trim(), exit: await child.exited, pid: child.pid };
}

test("exit codes and signals", async () => {
  expect((await run("exit 7")).exit).toEqual({ code: 7, signal: null });
  expect((await run("kill -9 $$")).exit).toEqual({ code: null, signal: 9 });
});

test("exactly the given descriptors, /dev/null for the missing standard ones", async () => {
  const [a, b] = socketPair();
  using extra = openat2(undefined, "/dev/zero", { flags: O_RDONLY });
  // find's own descriptors are of directories in /proc, or of the directory it began in.
  const script = "cd /proc && exec find /proc/self/fd -type l -printf '%f %l\\n'";
  const { output } = await run(script, {
    fds: [
      { fd: a, as: 9 },
      { fd: extra, as: 4 },
    ],
  });
  const lines = output.split("\n").filter((line) => !line.includes("/proc"));
  expect(lines.map((line) => line.replace(/:.*$/, "")).sort()).toEqual([
    "0 /dev/null",
    "1 pipe",
    "2 /dev/null",
    "4 /dev/zero",
    "9 socket",
  ]);
  a.close();
  b.close();
});

test("descriptors may trade places", async () => {
  const files = ["/dev/zero", "/dev/full"].map((path) =>
    openat2(undefined, path, { flags: O_RDONLY }),
  );
  const [zero, full] = files as [Fd, Fd];
  const { output } = await run(
    `readlink /proc/self/fd/${full.number} /proc/self/fd/${zero.number}`,
    {
      fds: [
        { fd: zero, as: full.number },
        { fd: full, as: zero.number },
      ],
    },
  );
  expect(output).toBe("/dev/zero\n/dev/full");
  for (const file of files) file.close();
});

test("nothing is inherited: environment, signals, session, directory", async () => {
  const script = "env | sort; pwd; cat /proc/self/status | grep -E '^Sig(Blk|Ign)'";
  const { output } = await run(script, { env: { PATH: "/usr/bin:/bin", A: "b=c" }, cwd: "/etc" });
  expect(output.split("\n").filter((line) => !line.startsWith("_="))).toEqual([
    "A=b=c",
    "PATH=/usr/bin:/bin",
    "PWD=/etc",
    "/etc",
    "SigBlk:\t0000000000000000",
    "SigIgn:\t0000000000000000",
  ]);
  const own = await run("cut -d' ' -f6 /proc/$$/stat");
  expect(own.output).toBe(String(own.pid));
  const shared = await run("cut -d' ' -f6 /proc/$$/stat", { setsid: false });
  expect(shared.output).not.toBe(String(shared.pid));
});

test("a program that cannot run is a fault, not an exit code", () => {
  const start = (program: string, argv = ["x"]) => spawn({ program, argv, env: {}, fds: [] });
  expect(() => start("/does/not/exist")).toThrow("cannot run /does/not/exist: no such file");
  expect(() => start("/dev/null")).toThrow("permission denied");
  expect(() => start("sh")).toThrow("absolute");
  expect(() => start("/bin/sh", ["a\0b"])).toThrow("NUL");
  expect(() => start("/bin/sh", [])).toThrow("EINVAL");
  const fds = [{ fd: 0, as: 256 }];
  expect(() => spawn({ program: "/bin/sh", argv: ["sh"], env: {}, fds })).toThrow("EINVAL");
});

test("a sealed copy runs, and cannot be changed", async () => {
  using program = memfdSealed("copy", readFileSync("/bin/sh"));
  expect((await run("echo $0", { program })).output).toBe("sh");
  const again = () => openat2(undefined, `/proc/self/fd/${program.number}`, { flags: 1 });
  expect(() => {
    using writable = again();
    writeAll(writable, Buffer.from("x"));
  }).toThrow(/operation not permitted|permission denied/);
});

/** Version 2, then owner, group and others, each without any permission (linux/posix_acl_xattr.h). */
const accessForNobody = Buffer.from(
  "02000000" + "01000000ffffffff" + "04000000ffffffff" + "20000000ffffffff",
  "hex",
);

test("a copy of a sealed copy runs, whatever the first one's mode", async () => {
  using first = memfdSealed("copy", readFileSync("/bin/sh"));
  setXattr(first, "", "system.posix_acl_access", accessForNobody);
  expect(() => spawn({ program: first, argv: ["sh"], env: {}, fds: [] })).toThrow("EACCES");
  using second = copySealed("copy", first);
  expect((await run("echo $0", { program: second })).output).toBe("sh");
});

test("signals to a child, until it has ended", async () => {
  const child = spawn({ program: "/bin/sleep", argv: ["sleep", "60"], env: {}, fds: [] });
  expect(startTime(child.pid)).toBeGreaterThan(0n);
  child.kill(15);
  expect(await child.exited).toEqual({ code: null, signal: 15 });
  expect(() => child.kill(15)).toThrow("has ended");
  expect(() => pidfdOpen(child.pid)).toThrow("no such process");
  expect(startTime(child.pid)).toBeUndefined();
});

test("the start time comes after a command of any characters", () => {
  const fields = Array.from({ length: 25 }, (_, i) => String(i + 4)).join(" ");
  expect(parseStartTime(`7 (a) b (c) S ${fields}`)).toBe(22n);
  expect(parseStartTime("garbage")).toBeUndefined();
});
