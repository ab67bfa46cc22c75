import { afterEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault, type FaultCode } from "#base";
import { type ChainId, sha256 } from "#image";
import { mknodat, S_IFCHR } from "#kernel";
import { openState, type State } from "#state";
import type { Snapshotter } from "./snapshotter.ts";

export const chain = (name: string) => sha256(name) as ChainId;

async function faultCode(work: Promise<unknown>): Promise<FaultCode | "none"> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "none";
}

/** Commits a layer of these files; a value of null is a whiteout, undefined a directory, "-> x" a link. */
export async function commitLayer(
  snapshots: Snapshotter,
  name: string,
  parent: string | undefined,
  files: Readonly<Record<string, string | null | undefined>>,
): Promise<ChainId> {
  const key = `making-${name}`;
  await snapshots.prepare(key, parent === undefined ? undefined : chain(parent));
  const directory = snapshots.directory(key);
  for (const [path, content] of Object.entries(files)) {
    const full = join(directory, path);
    mkdirSync(join(full, ".."), { recursive: true });
    if (content === undefined) mkdirSync(full, { recursive: true });
    else if (content === null) mknodat(undefined, full, { mode: S_IFCHR });
    else if (content.startsWith("-> ")) symlinkSync(content.slice(3), full);
    else writeFileSync(full, content);
  }
  await snapshots.commit(chain(name), key, { size: 1 });
  return chain(name);
}

/**
 * The promises of every Snapshotter, tested without mounting anything. `open` opens it anew over
 * the same root and state.
 */
export function snapshotterContract(
  name: string,
  open: (root: string, state: State) => Promise<Snapshotter>,
): void {
  const cleanups: (() => void)[] = [];
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });

  async function opened() {
    const root = mkdtempSync(join(tmpdir(), "thimble-snapshot-"));
    const state = openState(":memory:");
    const snapshots = await open(join(root, "s"), state);
    cleanups.push(() => {
      state.close();
      rmSync(root, { recursive: true, force: true });
    });
    return { root, state, snapshots };
  }

  describe(name, () => {
    test("a key is taken once, and gone with its removal", async () => {
      const { snapshots } = await opened();
      await snapshots.prepare("a", undefined);
      expect(await faultCode(snapshots.prepare("a", undefined))).toBe("exists");
      expect(await faultCode(snapshots.view("a", undefined))).toBe("exists");
      expect(await snapshots.activeKeys()).toEqual(["a"]);
      const directory = snapshots.directory("a");
      writeFileSync(join(directory, "file"), "x");
      await snapshots.remove("a");
      expect(existsSync(directory)).toBe(false);
      expect(snapshots.stat("a")).toBeUndefined();
      expect(await faultCode(snapshots.remove("a"))).toBe("not_found");
      expect(await faultCode(snapshots.mounts("a"))).toBe("not_found");
      await snapshots.prepare("a", undefined);
    });

    test("only a committed snapshot can be built upon", async () => {
      const { snapshots } = await opened();
      expect(await faultCode(snapshots.prepare("x", chain("none")))).toBe("not_found");
      await snapshots.prepare("active", undefined);
      expect(await faultCode(snapshots.prepare("x", "active" as ChainId))).toBe("conflict");
      expect(snapshots.list().map((each) => each.name)).toEqual(["active"]);
    });

    test("committing turns the key into the name", async () => {
      const { snapshots } = await opened();
      const base = await commitLayer(snapshots, "base", undefined, { file: "1" });
      const top = await commitLayer(snapshots, "top", "base", { other: "2" });
      expect(snapshots.stat("making-base")).toBeUndefined();
      expect(snapshots.stat(top)).toEqual({ name: top, kind: "committed", parent: base, size: 1 });
      expect(readFileSync(join(snapshots.directory(base), "file"), "utf8")).toBe("1");
      expect(snapshots.layers(top)).toEqual([snapshots.directory(top), snapshots.directory(base)]);
      expect(await snapshots.activeKeys()).toEqual([]);
      expect(await faultCode(snapshots.commit(chain("again"), top, { size: 1 }))).toBe("conflict");
      expect(await faultCode(snapshots.mounts(top))).toBe("conflict");
    });

    test("a snapshot prepared over nothing finds its place when it is committed", async () => {
      const { snapshots } = await opened();
      await snapshots.prepare("top", undefined);
      await snapshots.prepare("base", undefined);
      writeFileSync(join(snapshots.directory("base"), "file"), "1");
      const place = { size: 2, parent: chain("base") };
      expect(await faultCode(snapshots.commit(chain("top"), "top", place))).toBe("not_found");
      await snapshots.commit(chain("base"), "base", { size: 1 });
      expect(snapshots.layers("top")).toHaveLength(1);
      await snapshots.commit(chain("top"), "top", place);
      expect(() => snapshots.layers("top")).toThrow("there is no snapshot top");
      expect(snapshots.stat(chain("top"))?.parent).toBe(chain("base"));
      expect((await snapshots.lookup(chain("top"), "file"))?.toString()).toBe("1");
      expect(await faultCode(snapshots.remove(chain("base")))).toBe("conflict");
    });

    test("a lost layer gets new files, under its children", async () => {
      const { snapshots } = await opened();
      const base = await commitLayer(snapshots, "base", undefined, { file: "1" });
      const top = await commitLayer(snapshots, "top", "base", {});
      for (const isThere of [true, false]) {
        if (!isThere) rmSync(snapshots.directory(base), { recursive: true });
        await snapshots.prepare("again", undefined);
        writeFileSync(join(snapshots.directory("again"), "file"), `new ${isThere}`);
        await snapshots.replace(base, "again");
        expect((await snapshots.lookup(top, "file"))?.toString()).toBe(`new ${isThere}`);
        expect(await snapshots.activeKeys()).toEqual([]);
      }
      expect(await faultCode(snapshots.replace(base, "none"))).toBe("not_found");
      expect(await faultCode(snapshots.replace(base, top))).toBe("conflict");
    });

    test("a name that is taken leaves the key to its owner", async () => {
      const { snapshots } = await opened();
      const base = await commitLayer(snapshots, "base", undefined, {});
      await snapshots.prepare("second", undefined);
      expect(await faultCode(snapshots.commit(base, "second", { size: 1 }))).toBe("exists");
      expect(snapshots.stat("second")?.kind).toBe("active");
    });

    test("a snapshot with children cannot be removed", async () => {
      const { snapshots } = await opened();
      const base = await commitLayer(snapshots, "base", undefined, {});
      await snapshots.prepare("child", base);
      await snapshots.view("look", base);
      expect(await faultCode(snapshots.remove(base))).toBe("conflict");
      await snapshots.remove("child");
      expect(await faultCode(snapshots.remove(base))).toBe("conflict");
      await snapshots.remove("look");
      await snapshots.remove(base);
      expect(snapshots.list()).toEqual([]);
    });

    test("a directory is adopted by a rename, or left where it is", async () => {
      const { root, snapshots } = await opened();
      const directory = join(root, "tree");
      const adopt = (parent?: ChainId) =>
        snapshots.adopt(chain(parent ?? "tree"), parent, { directory, size: 4 });
      mkdirSync(directory);
      writeFileSync(join(directory, "file"), "mine");
      await adopt();
      expect(existsSync(directory)).toBe(false);
      expect((await snapshots.lookup(chain("tree"), "/file"))?.toString()).toBe("mine");
      mkdirSync(directory);
      expect(await faultCode(adopt())).toBe("exists");
      expect(await faultCode(adopt(chain("none")))).toBe("not_found");
      expect(existsSync(directory)).toBe(true);
    });

    test("files are found through the layers as a mount would show them", async () => {
      const { snapshots } = await opened();
      const base = await commitLayer(snapshots, "base", undefined, {
        "etc/passwd": "base",
        "etc/group": "base group",
        "usr/lib/os": "os",
        lib: "-> usr/lib",
        abs: "-> /etc/passwd",
        loop: "-> loop",
        out: "-> ../../../../etc/passwd",
        host: "-> /proc/self/root/etc/hostname",
        "gone/file": "x",
        "dir/file": "x",
      });
      await commitLayer(snapshots, "top", "base", {
        "etc/passwd": "top",
        gone: null,
        dir: "now a file",
        "usr/lib/os2": "-> os",
        big: "x".repeat((1 << 20) + 1),
      });
      await snapshots.prepare("c", chain("top"));
      writeFileSync(join(snapshots.directory("c"), "own"), "own");
      const read = async (path: string) => (await snapshots.lookup("c", path))?.toString();
      expect(await read("etc/passwd")).toBe("top");
      expect(await read("/etc//./group")).toBe("base group");
      expect(await read("etc/../etc/group")).toBe("base group");
      expect(await read("abs")).toBe("top");
      expect(await read("out")).toBe("top");
      expect(await read("lib/os2")).toBe("os");
      expect(await read("own")).toBe("own");
      const nothing = ["gone/file", "dir/file", "etc/none", "none/x", "etc", "", "host"];
      for (const path of [...nothing, "etc/passwd/x", "x".repeat(300)]) {
        expect(await read(path)).toBeUndefined();
      }
      expect(await faultCode(snapshots.lookup("c", "loop"))).toBe("invalid");
      expect(await faultCode(snapshots.lookup("c", "big"))).toBe("exhausted");
      expect(await faultCode(snapshots.lookup("none", "x"))).toBe("not_found");
      const found = await snapshots.find("c", "lib/os2");
      expect(found?.hostPath).toBe(join(snapshots.directory(base), "usr/lib/os"));
      expect(found?.stat.size).toBe(2);
      expect((await snapshots.find("c", "/"))?.stat.mode).toBe(0o40755);
      expect(await snapshots.find("c", "gone")).toBeUndefined();
    });

    test("a lookup ends where links lead through thousands of names", async () => {
      const { snapshots } = await opened();
      const zigzag = "d/../".repeat(800);
      const links = Array.from({ length: 6 }, (_, n) => [`l${n}`, `-> ${zigzag}l${n + 1}`]);
      await commitLayer(snapshots, "base", undefined, {
        ...{ "d/file": "1", l6: "found", few: `-> ${zigzag}l6` },
        ...Object.fromEntries(links),
      });
      await snapshots.prepare("c", chain("base"));
      expect((await snapshots.lookup("c", "few"))?.toString()).toBe("found");
      expect(await faultCode(snapshots.lookup("c", "l0"))).toBe("invalid");
    });

    test("usage counts the snapshot's own files", async () => {
      const { snapshots } = await opened();
      await commitLayer(snapshots, "base", undefined, { big: "x".repeat(100_000) });
      await snapshots.prepare("c", chain("base"));
      const before = await snapshots.usage("c");
      writeFileSync(join(snapshots.directory("c"), "file"), "y".repeat(50_000));
      const after = await snapshots.usage("c");
      expect(after.inodes - before.inodes).toBe(1);
      expect(after.bytes - before.bytes).toBeGreaterThanOrEqual(50_000);
      expect(after.bytes).toBeLessThan(90_000);
      expect(after.length - before.length).toBe(50_000);
    });

    test("all is there when it is opened again", async () => {
      const { root, state, snapshots } = await opened();
      await commitLayer(snapshots, "base", undefined, { f: "1" });
      await snapshots.prepare("c", chain("base"), { volatile: true });
      const mounts = await snapshots.mounts("c");
      await snapshots.drain();
      const again = await open(join(root, "s"), state);
      expect(again.list()).toEqual(snapshots.list());
      expect(await again.mounts("c")).toEqual(mounts);
      await again.prepare("d", chain("base"));
      expect(again.directory("d")).not.toBe(again.directory("c"));
    });
  });
}
