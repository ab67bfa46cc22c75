import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault, isFault } from "#base";
import { type Fd, hasCapability, lockFile, restrictMode } from "#kernel";
import { answers } from "./start-daemon.ts";

/**
 * Whether an engine can start here at all, before it makes anything. Faults: `denied`
 * without the privilege to mount, `conflict` when a socket is another one's, or a file.
 */
export async function checkStart(sockets: readonly string[]): Promise<void> {
  if (!hasCapability("SYS_ADMIN")) {
    throw new Fault(
      "denied",
      `the engine needs root's privileges, and this process (user ${process.getuid?.()}) lacks CAP_SYS_ADMIN: start it as root (sudo thimble daemon), and see thimble doctor for what else it needs`,
    );
  }
  for (const socket of sockets) {
    if (lstatSync(socket, { throwIfNoEntry: false })?.isSocket() === false)
      throw new Fault("conflict", `cannot listen on ${socket}: it is not a socket`, {
        about: socket,
      });
    if (!(await answers(socket))) continue;
    throw new Fault(
      "conflict",
      `cannot listen on ${socket}: another engine answers there; stop it first, or choose another socket with -H`,
      { about: socket },
    );
  }
}

/** Refuses a data root of dockerd's, as its configuration file may name: each would break the other's. */
export function refuseDockerRoot(path: string): void {
  if (!["engine-id", "overlay2", "buildkit"].some((name) => existsSync(join(path, name)))) return;
  throw new Fault(
    "conflict",
    `the data root ${path} is one of Docker's: choose another, as /var/lib/thimble`,
    { about: path },
  );
}

interface RootClaim {
  readonly path: string;
  /** "data root" and its flag "--data-root". */
  readonly kind: "data" | "run";
  /** Where the engine listens, as -H names it: for the message to a user who finds the root taken. */
  readonly hosts: readonly string[];
}

/** The names that an engine makes in its roots, and the one that mkfs(8) makes. */
const ownNames = new Set([
  ...["backups", "cache", "containers", "content", "lock", "lost+found", "registry", "snapshots"],
  ...["state.db", "state.db-journal", "state.db-shm", "state.db-wal", "volumes", "work"],
  ...[
    "dns",
    "engine.log",
    "engine.pid",
    "execs",
    "native",
    "ports",
    "root",
    "shm",
    "thimble.sock",
    "views",
  ],
]);

/**
 * Makes the directory `path` of an engine, or closes it to others when it was open. All users may
 * pass the run root, since the socket in it may be for a group. A directory that others use as well
 * (`--data-root /srv`) keeps its mode: its entries are closed.
 */
export async function makeRoot({ path, kind, hosts }: RootClaim): Promise<void> {
  const mode = kind === "data" ? 0o700 : 0o711;
  await mkdir(path, { recursive: true, mode }).catch((cause: NodeJS.ErrnoException) => {
    const why = reasons[cause.code ?? ""] ?? cause.message;
    throw new Fault(
      "invalid",
      `cannot make the ${kind} root ${path}: ${why}; choose another with --${kind}-root`,
      { about: path, cause },
    );
  });
  const isOwn = (name: string) =>
    ownNames.has(name) || hosts.includes(`unix://${join(path, name)}`);
  if (readdirSync(path).every(isOwn)) restrictMode(path, mode);
  for (const name of ["dns", "engine.log", "lock"]) restrictMode(join(path, name), 0o600);
}

const reasons: Readonly<Record<string, string>> = {
  EEXIST: "it is not a directory",
  ENOTDIR: "the path above it is not a directory",
  EACCES: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left on the device",
  ENOENT: "the file system there makes no directories",
};

/** One engine at a time has a root: held until the descriptor is closed. `conflict` names the one that has it. */
export async function lockRoot(claim: RootClaim): Promise<Fd> {
  const { path, kind, hosts } = claim;
  const file = join(path, "lock");
  let lock: Fd;
  try {
    lock = lockFile(file);
  } catch (cause) {
    if (!isFault(cause, "conflict")) throw cause;
    const holder = readFileSync(file, "utf8").trim();
    throw new Fault(
      "conflict",
      `the ${kind} root ${path} is in use by another engine${holder && ` (${holder})`}: stop that one first, or choose another with --${kind}-root`,
      { about: path, cause },
    );
  }
  // On a full disk the lock holds all the same.
  await writeFile(file, `pid ${process.pid}, ${hosts.join(", ")}\n`).catch(() => undefined);
  return lock;
}
