import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, lstatSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { entries } from "../support/engine-holdings.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

let cli: ThimbleCli;

beforeEach(() => {
  cli = new ThimbleCli();
});

afterEach(async () => {
  await cli[Symbol.asyncDispose]();
});

/**
 * What belongs to a container or an image and keeps its own mode, below directories that
 * nobody but root enters: file systems, and the files that are bound into /etc.
 */
const foreign = [
  /^data\/snapshots\/(\d+\/fs|empty|mount-points)$/,
  /^data\/containers\/[0-9a-f]{64}\/(hosts|hostname|resolv\.conf)$/,
  /^data\/volumes\/kept\/_data$/,
];

/** The two doors: the run root may be passed, and the API's socket has the mode it was given. */
const open = new Map([
  ["run", 0o711],
  ["run/thimble.sock", 0o660],
]);

/** Everything below the roots, as "data/state.db 644", that somebody other than root may use in any way. */
function looseEntries(): string[] {
  const loose: string[] = [];
  const pending = ["data", "run"];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (foreign.some((pattern) => pattern.test(path ?? ""))) continue;
    const full = join(cli.directory, path);
    const stat = lstatSync(full, { throwIfNoEntry: false });
    // The engine is at work: what it has removed meanwhile is nobody's.
    if (!stat) continue;
    const mode = stat.mode & 0o7777;
    const isLoose = (mode & 0o077) !== 0 || stat.uid !== 0 || stat.gid !== 0;
    if (!stat.isSymbolicLink() && isLoose && mode !== open.get(path))
      loose.push(`${path} ${mode.toString(8)}`);
    if (stat.isDirectory()) for (const name of entries(full)) pending.push(`${path}/${name}`);
  }
  return loose.sort();
}

async function haveBusySession(): Promise<void> {
  await cli.importBusybox("busybox");
  await cli.ok(["run", "-d", "--name", "one", "-e", "SECRET=1", "busybox", "sleep", "1000"]);
  await cli.ok(["exec", "one", "sh", "-c", "echo made > /made; mkfifo /pipe"]);
  await cli.ok(["network", "create", "named"]);
  await cli.ok(["network", "connect", "named", "one"]);
  await cli.ok(["run", "--rm", "-v", "kept:/kept", "-p", "80", "busybox", "touch", "/kept/file"]);
  await cli.ok(["run", "-t", "--name", "two", "busybox", "echo", "said"]);
  await cli.ok(["run", "--rm", "busybox", "true"]);
  await cli.ok(["commit", "one", "committed"]);
  await cli.ok(["mkimage", "-t", "scratch", "scratch", "/bin/busybox"]);
  await cli.ok(["save", "-o", "saved.tar", "committed"]);
  await cli.ok(["rmi", "committed"]);
  await cli.ok(["load", "-i", "saved.tar"]);
  await cli.ok(["squash", "-t", "squashed", "committed"]);
  await cli.ok(["explain", "committed"]);
  await cli.ok(["export", "-o", "exported.tar", "two"]);
  await cli.ok(["image", "cp", "busybox:/etc/passwd", "passwd"]);
  await cli.ok(["logs", "two"]);
}

test("nothing below the data root and the run root is for anybody but root", async () => {
  await haveBusySession();
  expect(looseEntries()).toEqual([]);
});

test("files that an older engine left open are closed when the roots are opened again", async () => {
  await haveBusySession();
  await cli.stopEngine();
  for (const name of ["data", "run"]) {
    const root = join(cli.directory, name);
    for (const each of ["", ...readdirSync(root).filter((each) => each !== "thimble.sock")]) {
      const path = join(root, each);
      chmodSync(path, lstatSync(path).isDirectory() ? 0o755 : 0o644);
    }
  }
  await cli.ok(["ps"]);
  expect(looseEntries()).toEqual([]);
  expect(await cli.ok(["exec", "one", "cat", "/made"])).toBe("made");
});

test("modes in images and containers do not depend on the umask at the engine's start", async () => {
  const before = process.umask(0o077);
  try {
    await cli.ok(["mkimage", "-t", "scratch", "scratch", "/bin/busybox"]);
  } finally {
    process.umask(before);
  }
  const look = ["/busybox", "stat", "-c", "%a", "/", "/dev", "/etc", "/etc/hosts"];
  const modes = await cli.ok(["run", "--rm", "-u", "1000", "scratch", ...look]);
  expect(modes.split("\n")).toEqual(["755", "755", "755", "644"]);
});

test("a directory that others use as well keeps its mode; the engine's entries are closed", async () => {
  for (const name of ["data", "run"]) {
    mkdirSync(join(cli.directory, name, "of-others"), { recursive: true });
    chmodSync(join(cli.directory, name), 0o755);
    chmodSync(join(cli.directory, name, "of-others"), 0o755);
  }
  await cli.ok(["ps"]);
  const kept = ["data 755", "data/of-others 755", "run 755", "run/of-others 755"];
  expect(looseEntries()).toEqual(kept);
});
