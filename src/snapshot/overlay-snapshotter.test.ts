import { afterEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openState } from "#state";
import { chain, commitLayer, snapshotterContract } from "./contract.ts";
import { openOverlaySnapshotter } from "./index.ts";

snapshotterContract("overlay", (root, state) => openOverlaySnapshotter({ root, state }));

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), "thimble-overlay-"));
  directories.push(directory);
  return directory;
}

test("the mount names the layers uppermost first, and never an attribute that redirects", async () => {
  const root = temporary();
  using state = openState(":memory:");
  const snapshots = await openOverlaySnapshotter({ root, state });
  await commitLayer(snapshots, "base", undefined, {});
  await commitLayer(snapshots, "top", "base", {});
  await snapshots.prepare("c", chain("top"), { volatile: true });
  expect(await snapshots.mounts("c")).toEqual([
    {
      type: "overlay",
      source: "overlay",
      options: [
        `lowerdir+=${root}/2/fs`,
        `lowerdir+=${root}/1/fs`,
        `lowerdir+=${root}/mount-points`,
        `upperdir=${root}/3/fs`,
        `workdir=${root}/3/work`,
        "redirect_dir=nofollow",
        "metacopy=off",
        "index=off",
        "volatile",
      ],
    },
  ]);
  await snapshots.prepare("scratch", undefined);
  expect((await snapshots.mounts("scratch"))[0]?.options[0]).toBe(`lowerdir+=${root}/empty`);
  await snapshots.view("v", chain("base"));
  const [view] = await snapshots.mounts("v");
  expect(view?.options.slice(0, 3)).toEqual([
    "ro",
    `lowerdir+=${root}/1/fs`,
    `lowerdir+=${root}/empty`,
  ]);
});

test("the next start settles what a crash left", async () => {
  const root = temporary();
  using state = openState(":memory:");
  const before = await openOverlaySnapshotter({ root, state });
  await commitLayer(before, "base", undefined, { f: "1" });
  await before.prepare("kept", chain("base"));
  await before.prepare("lost", chain("base"));
  await before.drain();
  // After the directories of a prepare, before its row; and between the two steps of a removal.
  mkdirSync(join(root, "77", "fs"), { recursive: true });
  writeFileSync(join(root, "77", "fs", "file"), "x");
  // A row whose directory is gone.
  rmSync(join(before.directory("lost"), ".."), { recursive: true });
  // A trash that was not emptied.
  mkdirSync(join(root, "trash", "x-5", "deep"), { recursive: true });

  const after = await openOverlaySnapshotter({ root, state });
  expect(after.list().map(({ name }) => name)).toEqual([chain("base"), "kept"]);
  await after.drain();
  expect(readdirSync(join(root, "trash"))).toEqual([]);
  expect(readdirSync(root).sort()).toEqual(["1", "2", "empty", "mount-points", "trash"]);
  await after.prepare("new", chain("base"));
  expect(existsSync(join(root, "78", "fs"))).toBe(true);
});

test("after the machine went down, layers that had not reached the disk are dropped", async () => {
  const directory = temporary();
  const root = join(directory, "s");
  const database = join(directory, "state.db");
  const open = async (bootId: string) => {
    const state = openState(database, { bootId });
    return { state, snapshots: await openOverlaySnapshotter({ root, state }) };
  };
  const names = ({ snapshots }: Awaited<ReturnType<typeof open>>) =>
    snapshots.list().map(({ name }) => name);

  const first = await open("one");
  await commitLayer(first.snapshots, "synced", undefined, {});
  await commitLayer(first.snapshots, "lost", undefined, {});
  await commitLayer(first.snapshots, "lost too", "lost", {});
  await first.snapshots.drain();
  first.state.run("UPDATE snapshot SET synced = 0 WHERE name != ?", chain("synced"));
  first.state.close();
  const restarted = await open("one");
  expect(names(restarted).length).toBe(3);
  restarted.state.close();
  const rebooted = await open("two");
  expect(names(rebooted)).toEqual([chain("synced")]);
  await rebooted.snapshots.drain();
  rebooted.state.close();
});

test("users of the host cannot reach the layers", async () => {
  const root = join(temporary(), "s");
  using state = openState(":memory:");
  await openOverlaySnapshotter({ root, state });
  expect(statSync(root).mode & 0o777).toBe(0o700);
});
