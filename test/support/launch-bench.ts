import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import {
  type ExitRecord,
  encodePlan,
  type Helper,
  type Launch,
  type LaunchPlan,
  type MountOperation,
} from "#helper";
import { type Fd, mountTable } from "#kernel";

const none = { set: 0, clear: 0 };
/** nosuid, nodev, noexec of mount_setattr(2). */
const hardened = { set: 14, clear: 0 };

export function filesystem(
  type: string,
  target: string,
  options: readonly (readonly [string, string | null])[] = [],
): MountOperation {
  return {
    source: { kind: "filesystem", type, options },
    target,
    attributes: hardened,
    recursiveAttributes: false,
    create: "directory",
  };
}

export function bind(
  path: string,
  target: string,
  change: Partial<MountOperation> = {},
): MountOperation {
  return {
    source: { kind: "bind", path, recursive: true },
    target,
    attributes: none,
    recursiveAttributes: false,
    create: "directory",
    ...change,
  };
}

const patience = 60_000;

/**
 * The things that a launch takes while it lasts: this process's mounts, children that are
 * launchers, descriptors by their target.
 */
function holdings(directory: string): string[] {
  const children = readFileSync("/proc/thread-self/children", "utf8").split(" ").filter(Boolean);
  const sockets = readdirSync("/proc/self/fd").filter((fd) => isSocket(fd));
  return [
    ...mountTable()
      .filter(({ target }) => target.startsWith(`${directory}/`))
      .map(({ target }) => `mount ${target}`),
    ...children.map((pid) => `process ${pid}`),
    ...sockets.map((_, index) => `socket number ${index + 1}`),
  ];
}

function isSocket(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
  } catch {
    return false;
  }
}

/** Directories of one test: a root with busybox, an anchor, a place for what monitors make. */
export class LaunchBench implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "thimble-launch-"));
  readonly root = this.path("root");
  #count = 0;
  readonly #before = holdings(this.directory);

  constructor() {
    for (const name of ["bin", "dev", "etc", "proc", "sys", "tmp"])
      mkdirSync(join(this.root, name), { recursive: true });
    mkdirSync(join(this.directory, "anchor"));
    copyFileSync("/bin/busybox", join(this.root, "bin/busybox"));
    for (const applet of "sh cat echo sleep ls id stat stty tty true yes head dd kill ps wc test mount umount readlink printf hostname seq touch".split(
      " ",
    ))
      symlinkSync("busybox", join(this.root, "bin", applet));
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** A container without limits that runs `argv`, with a log, a socket and an exit record named after its id. */
  plan(argv: readonly string[], change: Partial<LaunchPlan> = {}): LaunchPlan {
    const id = change.id ?? `c${this.#count++}`;
    return {
      mode: "run",
      id,
      namespaces: [
        { kind: "mnt" },
        { kind: "pid" },
        { kind: "uts" },
        { kind: "ipc" },
        { kind: "net" },
      ],
      uidMaps: [],
      gidMaps: [],
      rootAnchor: this.path("anchor"),
      mounts: this.mounts(),
      rootReadonly: false,
      devices: (
        [
          ["null", 3],
          ["zero", 5],
          ["full", 7],
        ] as const
      ).map(([name, minor]) => ({
        path: `/dev/${name}`,
        type: "c",
        major: 1,
        minor,
        mode: 0o666,
        uid: 0,
        gid: 0,
      })),
      symlinks: [{ target: "/proc/self/fd", path: "/dev/fd" }],
      maskedPaths: [],
      readonlyPaths: [],
      sysctls: [],
      hostname: "launched",
      resourceLimits: [],
      noNewPrivileges: false,
      process: {
        argv,
        env: ["PATH=/usr/bin:/bin", "TERM=xterm"],
        cwd: "/",
        uid: 0,
        gid: 0,
        additionalGids: [],
      },
      init: false,
      stdio: { mode: "pipes", stdin: false, stdinOnce: false },
      log: { path: this.path(`${id}.log`), maxSize: 0n, maxFiles: 1 },
      controlSocket: this.path(`${id}.sock`),
      exitRecord: this.path(`${id}.exit`),
      ...change,
    };
  }

  mounts(...more: readonly MountOperation[]): readonly MountOperation[] {
    return [
      bind(this.root, "/", { create: "none" }),
      filesystem("proc", "/proc"),
      { ...filesystem("tmpfs", "/dev", [["mode", "755"]]), attributes: none },
      {
        ...filesystem("devpts", "/dev/pts", [
          ["newinstance", null],
          ["ptmxmode", "0666"],
          ["mode", "0620"],
          ["gid", "5"],
        ]),
        attributes: none,
      },
      filesystem("sysfs", "/sys"),
      ...more,
    ];
  }

  /** Runs a shell script to its end and gives its output from the log. */
  async shell(
    helper: Helper,
    script: string,
    change: Partial<LaunchPlan> = {},
  ): Promise<{ readonly out: string; readonly err: string; readonly exit: ExitRecord }> {
    const plan = this.plan(["sh", "-c", script], change);
    const exit = await runToEnd(helper, plan);
    const path = plan.log?.path ?? "";
    const lines = existsSync(path) ? logLines(path) : [];
    const of = (stream: string) =>
      lines
        .filter((line) => line.stream === stream)
        .map((line) => line.log)
        .join("");
    return { out: of("stdout"), err: of("stderr"), exit };
  }

  /** Removes the files, and fails when a mount, a monitor or a descriptor of this process is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    let left = [""];
    for (const end = Date.now() + patience; left.length > 0 && Date.now() < end; await delay(20))
      left = holdings(this.directory).filter((each) => !this.#before.includes(each));
    rmSync(this.directory, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`left behind: ${left.join(", ")}`);
  }
}

/** Launches, lets go and waits until the monitor has let go of everything. */
export async function runToEnd(
  helper: Helper,
  plan: LaunchPlan,
  fds: readonly Fd[] = [],
): Promise<ExitRecord> {
  await using launch = helper.launch({ plan: encodePlan(plan), fds });
  launch.go();
  const exit = await launch.exited;
  await launch.monitorExited;
  return exit;
}

/** Launches and waits until the program runs. */
export async function start(
  helper: Helper,
  plan: LaunchPlan,
  fds: readonly Fd[] = [],
): Promise<Launch> {
  const launch = helper.launch({ plan: encodePlan(plan), fds });
  launch.go();
  await launch.started;
  return launch;
}

export interface LogLine {
  readonly log: string;
  readonly stream: string;
  readonly time: string;
}

/** The records of a json-file log. */
export function logLines(path: string): LogLine[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** The payloads of Docker's framed stream, of both streams in order. */
export function unframe(bytes: Buffer, stream?: 1 | 2): string {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const length = bytes.readUInt32BE(at + 4);
    if (stream === undefined || bytes[at] === stream) {
      parts.push(bytes.subarray(at + 8, at + 8 + length));
    }
    at += 8 + length;
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Everything until the end. */
export async function all(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Reads until the text has come. */
export async function until(stream: Readable, wanted: string): Promise<string> {
  let got = "";
  while (!got.includes(wanted)) {
    const chunk: Buffer | null = stream.read();
    if (chunk) got += chunk.toString("utf8");
    else if (stream.readableEnded) throw new Error(`the stream ended before "${wanted}": ${got}`);
    else await delay(5);
  }
  return got;
}
