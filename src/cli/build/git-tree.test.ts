import { afterAll, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { outcome } from "../../base/testing.ts";
import { walkContext } from "./context-walk.ts";
import { commitTime, trackedModes } from "./git-tree.ts";

const top = mkdtempSync("/tmp/thimble-git-");
afterAll(() => rmSync(top, { recursive: true }));

let root = "";
let count = 0;
beforeEach(() => {
  root = join(top, String(count++));
  mkdirSync(root);
});

function put(path: string, mode: number) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), path);
  chmodSync(join(root, path), mode);
}

function git(...words: readonly string[]) {
  const { exitCode, stderr } = Bun.spawnSync(["git", "-C", root, ...words]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}

async function modes(at = root): Promise<Record<string, string>> {
  const tracked = await trackedModes(at);
  const { entries } = walkContext(at, undefined);
  const seen = entries.filter(({ path }) => !/(^|\/)\.git(\/|$)/.test(path));
  return Object.fromEntries(
    seen.map((entry) => {
      const { path, mode } = tracked?.shared(entry) ?? entry;
      return [path, mode.toString(8)];
    }),
  );
}

test("tracked files, and directories that have some, get git's modes", async () => {
  git("init", "-q");
  put("a/b/plain", 0o600);
  put("a/tool", 0o4711);
  put("other/untracked", 0o604);
  put("a/untracked", 0o660);
  symlinkSync("plain", join(root, "a/b/link"));
  chmodSync(join(root, "a"), 0o2770);
  chmodSync(join(root, "other"), 0o700);
  git("add", "a/b", "a/tool");
  expect(await modes()).toEqual({
    a: "40755",
    "a/b": "40755",
    "a/b/link": "120777",
    "a/b/plain": "100644",
    "a/tool": "100755",
    "a/untracked": "100660",
    other: "40700",
    "other/untracked": "100604",
  });
  expect(await modes(join(root, "a"))).toMatchObject({ "b/plain": "100644", b: "40755" });
});

test("a file that was made executable is so before it is added, unless git does not look", async () => {
  git("init", "-q");
  put("made", 0o644);
  git("add", "made");
  put("made", 0o700);
  expect(await modes()).toEqual({ made: "100755" });
  git("config", "core.fileMode", "false");
  expect(await modes()).toEqual({ made: "100644" });
});

test("files of submodules are tracked too", async () => {
  const outer = root;
  root = join(outer, "sub");
  put("deep/file", 0o600);
  git("init", "-q");
  git("add", ".");
  git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "sub");
  chmodSync(root, 0o700);
  root = outer;
  git("init", "-q");
  git("-c", "advice.addEmbeddedRepo=false", "add", "sub");
  expect(await modes()).toEqual({
    sub: "40755",
    "sub/deep": "40755",
    "sub/deep/file": "100644",
  });
});

test("nothing is known outside of a working tree, and a broken one is told", async () => {
  expect(await trackedModes(root)).toBeUndefined();
  expect(await commitTime(root)).toBeUndefined();
  writeFileSync(join(root, ".git"), "gitdir: /nowhere\n");
  expect(await outcome(trackedModes(root))).toThrow("not a git repository");
  expect(await commitTime(root)).toBeUndefined();
});
