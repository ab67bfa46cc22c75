import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ExitRecord,
  encodePlan,
  type Helper,
  type Launch,
  type LaunchPlan,
  type MountOperation,
} from "#helper";
import type { Fd } from "#kernel";

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

/** Directories of one test: a root with busybox, an anchor, a place for what monitors make. */
export class LaunchBench implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "thimble-launch-"));
  readonly root = this.path("root");
  #count = 0;

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

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
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
