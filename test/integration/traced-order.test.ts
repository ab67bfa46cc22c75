import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const strace = Bun.which("strace");
const worker = join(import.meta.dirname, "../support/traced-work.ts");
let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-traced-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** The calls of a piece of work that concern its root, in the order in which they began. */
async function callsOf(what: string): Promise<string[]> {
  const trace = join(root, "trace");
  const calls =
    "trace=fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,umask,bind,chmod,fchmodat";
  const child = Bun.spawn(
    [strace ?? "", "-f", "-y", "-qq", "-s", "4096", "-e", calls, "-o", trace].concat([
      ...[process.execPath, worker, join(root, "data"), what],
    ]),
    { stdout: "inherit", stderr: "inherit" },
  );
  expect(await child.exited).toBe(0);
  const short = (path = "") =>
    path
      .slice(join(root, "data").length)
      .replace(/[0-9a-f]{64}/, "HEX")
      .replace(/w-\w+/, "w");
  return readFileSync(trace, "utf8")
    .split("\n")
    .filter((line) => line.includes(`${root}/data`) || line.includes("umask("))
    .flatMap((line) => {
      const [, synced] = /\bf(?:data)?sync\(\d+<([^>]*)>/.exec(line) ?? [];
      if (synced !== undefined) return [`sync ${short(synced)}`];
      const [, from, to] = /\brename\w*\([^"]*"([^"]*)", [^"]*"([^"]*)"/.exec(line) ?? [];
      if (from !== undefined) return [`rename ${short(from)} ${short(to)}`];
      const [, masked] = /\bumask\((\w+)\)/.exec(line) ?? [];
      if (masked !== undefined) return [`umask ${masked}`];
      if (/\bbind\(/.test(line)) return ["bind"];
      const [, changed, mode] = /\bf?chmod\w*\([^"]*"([^"]*)", (\w+)/.exec(line) ?? [];
      if (changed !== undefined) return [`chmod ${short(changed)} ${mode}`];
      const [, removed] = /\bunlink(?:at)?\([^"]*"([^"]*)"/.exec(line) ?? [];
      return removed === undefined ? [] : [`unlink ${short(removed)}`];
    });
}

/** Where each of the calls is, one after another; -1 when one does not come after the one before it. */
function inOrder(calls: readonly string[], wanted: readonly string[]): boolean {
  let at = -1;
  return wanted.every((each) => {
    at = calls.indexOf(each, at + 1);
    return at >= 0;
  });
}

const works: Record<string, readonly string[]> = {
  "a blob": [
    "sync /content/ingest/w/blob",
    "rename /content/ingest/w/blob /content/blobs/sha256/HEX",
    "sync /content/blobs/sha256",
  ],
  "an object": [
    "sync /thimble/new/0",
    "rename /thimble/new/0 /a/b/object",
    ...["sync /a/b", "sync /a", "sync "],
  ],
  "a socket": ["umask 0177", "bind", "chmod /socket 0660"],
  "a log": ["sync /log.gz", "rename /log.gz /log.1.gz", "unlink /log.1"],
};

test.skipIf(!strace).each(Object.keys(works))(
  "the calls that make %s last, or keep others out of it, come in their order [needs strace]",
  async (what) => {
    const wanted = works[what] ?? [];
    const calls = await callsOf(what.split(" ")[1] ?? "");
    if (!inOrder(calls, wanted)) expect(calls).toEqual([...wanted]);
  },
  60_000,
);
