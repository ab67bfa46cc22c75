import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { collect } from "#base";
import { type ChainId, sha256 } from "#image";
import { mountAll } from "#kernel";
import { diffLayer, receiveLayer } from "#layer";
import type { Snapshotter } from "#snapshot";
import { openTestContent } from "../support/content.ts";
import { describeTree, streamOf, type TarMember, tarOf } from "../support/tree.ts";

const chain = (name: string) => sha256(name) as ChainId;

async function commit(
  snapshots: Snapshotter,
  name: string,
  parent: string | undefined,
  members: readonly TarMember[],
) {
  await snapshots.prepare("making", parent === undefined ? undefined : chain(parent));
  const target = snapshots.directory("making");
  const lowers = parent === undefined ? [] : snapshots.layers(chain(parent));
  const { size } = await receiveLayer({
    source: { stream: streamOf(tarOf(members)) },
    target,
    lowers,
  });
  await snapshots.commit(chain(name), "making", { size });
}

const base: readonly TarMember[] = [
  { name: "./", type: "directory", mode: 0o711 },
  { name: "etc/", type: "directory" },
  { name: "etc/passwd", content: "base" },
  { name: "etc/group", content: "base" },
  { name: "dir/one", content: "1" },
  { name: "dir/two", content: "2" },
  { name: "gone", content: "x" },
  { name: "secret", type: "symlink", linkName: "/etc/passwd" },
];
const top: readonly TarMember[] = [
  { name: "etc/passwd", content: "top" },
  { name: ".wh.gone" },
  { name: "dir/.wh..wh..opq" },
  { name: "dir/three", content: "3" },
];

test("a mounted stack shows the layers' files, and lookup sees the same", async () => {
  await using data = await openTestContent();
  const { snapshots, work } = data;
  await commit(snapshots, "base", undefined, base);
  await commit(snapshots, "top", "base", top);
  await snapshots.prepare("c", chain("top"));
  const target = join(work, "mnt");
  mkdirSync(target);
  {
    await using _ = await mountAll(await snapshots.mounts("c"), target);
    expect(readdirSync(target).sort()).toEqual(["dir", "etc", "secret"]);
    expect(readdirSync(join(target, "dir"))).toEqual(["three"]);
    expect(readFileSync(join(target, "etc/passwd"), "utf8")).toBe("top");
    expect(describeTree(target)[0]).toStartWith("/ 40711 0:0 ");
    writeFileSync(join(target, "etc/new"), "new");
    rmSync(join(target, "etc/group"));
    rmSync(join(target, "dir"), { recursive: true });
    mkdirSync(join(target, "dir"));
    for (const path of [
      "etc/passwd",
      "etc/group",
      "etc/new",
      "dir/one",
      "dir/three",
      "gone",
      "secret",
    ]) {
      const mounted = existsSync(join(target, path));
      if (path === "secret") expect((await snapshots.lookup("c", path))?.toString()).toBe("top");
      else
        expect([path, (await snapshots.lookup("c", path)) !== undefined]).toEqual([path, mounted]);
    }
  }
  const layer = await collect(diffLayer(snapshots.directory("c")), 1 << 20, "layer");
  const target2 = join(work, "diff");
  mkdirSync(target2);
  await receiveLayer({ source: { stream: streamOf(layer) }, target: target2 });
  // The kernel's own note of where a directory came from, and the times of whiteouts, are not the layer's.
  const told = (path: string) =>
    describeTree(path)
      .slice(1)
      .map((line) => line.replace(/ trusted\.overlay\.origin=\w*|\d{19} 0:0$/, "").trim());
  expect(told(target2)).toEqual(told(snapshots.directory("c")));
  expect(describeTree(target2).map((line) => line.split(" ")[0])).toEqual([
    "/",
    "/dir",
    "/etc",
    "/etc/group",
    "/etc/new",
  ]);

  await snapshots.view("v", chain("base"));
  await using _ = await mountAll(await snapshots.mounts("v"), target);
  expect(readFileSync(join(target, "dir/one"), "utf8")).toBe("1");
  expect(() => writeFileSync(join(target, "x"), "")).toThrow("EROFS");
});

test("a stack on nothing and a volatile one can be written to", async () => {
  await using data = await openTestContent();
  const { snapshots, work } = data;
  for (const [key, options] of [
    ["plain", {}],
    ["volatile", { volatile: true }],
  ] as const) {
    await snapshots.prepare(key, undefined, options);
    const target = join(work, key);
    mkdirSync(target);
    await using _ = await mountAll(await snapshots.mounts(key), target);
    writeFileSync(join(target, "file"), key);
    expect((await snapshots.lookup(key, "file"))?.toString()).toBe(key);
  }
});

test("a volatile stack has what containers mount upon, below all layers and not in its own", async () => {
  await using data = await openTestContent();
  const { snapshots, work } = data;
  await commit(snapshots, "base", undefined, [...base, { name: "etc/hosts", content: "mine" }]);
  await snapshots.prepare("c", chain("base"), { volatile: true });
  const target = join(work, "root");
  mkdirSync(target);
  await using _ = await mountAll(await snapshots.mounts("c"), target);
  const etc = ["group", "hostname", "hosts", "passwd", "resolv.conf"];
  expect(readdirSync(join(target, "etc")).toSorted()).toEqual(etc);
  expect(readFileSync(join(target, "etc/hosts"), "utf8")).toBe("mine");
  for (const name of ["dev", "proc", "sys"]) expect(readdirSync(join(target, name))).toEqual([]);
  expect(readdirSync(snapshots.directory("c"))).toEqual([]);
});

test("a snapshot can be removed while it is still mounted, without waiting", async () => {
  await using data = await openTestContent();
  const { snapshots, work } = data;
  await commit(snapshots, "base", undefined, base);
  await snapshots.prepare("c", chain("base"));
  const target = join(work, "mnt");
  mkdirSync(target);
  await using _ = await mountAll(await snapshots.mounts("c"), target);
  for (let i = 0; i < 3000; i++) writeFileSync(join(target, `file${i}`), "x");
  await snapshots.remove("c");
  // Its files go later, and others have their turn between them.
  expect(readdirSync(join(data.root, "snapshots/trash"))).toHaveLength(1);
  let turns = 0;
  const counter = setInterval(() => turns++, 0);
  await snapshots.drain();
  clearInterval(counter);
  expect(turns).toBeGreaterThan(1);
  expect((await data.leftovers()).loose).toEqual([]);
});

test("a stack of 130 layers is mounted (Docker builds at most 127)", async () => {
  await using data = await openTestContent();
  const { snapshots, work } = data;
  for (let i = 0; i < 130; i++) {
    await commit(snapshots, `l${i}`, i === 0 ? undefined : `l${i - 1}`, [
      { name: `f${i}`, content: String(i) },
    ]);
  }
  await snapshots.prepare("c", chain("l129"));
  const target = join(work, "mnt");
  mkdirSync(target);
  await using _ = await mountAll(await snapshots.mounts("c"), target);
  expect(readdirSync(target).length).toBe(130);
  expect((await snapshots.lookup("c", "f0"))?.toString()).toBe("0");
});
