import { expect, test } from "bun:test";
import { Fault } from "#base";
import { random, rounds } from "../base/testing.ts";
import { explainImage } from "./explain-image.ts";
import { ImageView } from "./image-view.ts";
import { findOwners } from "./ownership.ts";
import { type FakeEntry, FakeLayer } from "./testing.ts";

const breathe = () => undefined;

test("only files of the same size are read", () => {
  const layer = new FakeLayer([
    { path: "alone", content: 5000 },
    { path: "pair1", content: 2000 },
    { path: "pair2", content: 2000 },
    { path: "small1", content: 10 },
    { path: "small2", content: 10 },
  ]);
  const view = ImageView.read([layer], breathe);
  const found = explainImage(view, { top: 10, depth: 1, breathe });
  expect(layer.digested.sort()).toEqual(["pair1", "pair2"]);
  expect(found.duplicates).toMatchObject({ bytes: 2000, count: 1 });
});

test("lists are cut to the largest, totals are of all", () => {
  const files: FakeEntry[] = Array.from({ length: 500 }, (_, at) => ({
    path: `d${at % 20}/f${at}`,
    content: at + 1,
  }));
  const view = ImageView.read([new FakeLayer(files)], breathe);
  const found = explainImage(view, { top: 3, depth: 1, breathe });
  expect(found.files.map(({ bytes }) => bytes)).toEqual([500, 499, 498]);
  expect(found.tree.children).toHaveLength(3);
  expect(found.tree.rest?.files).toBe(500 - 75);
  expect(found.total).toMatchObject({ bytes: (500 * 501) / 2, files: 500, efficiency: 1 });
});

test("visible and wasted bytes are all bytes", () => {
  const next = random(7);
  for (let round = 0; round < rounds(40, 2000); round++) {
    const layers = Array.from({ length: 4 }, () => {
      const entries = new Map<string, FakeEntry>();
      for (let at = 0; at < 12; at++) {
        const path = `${"abc"[next(3)]}/${"xyz"[next(3)]}`;
        const kind = next(5);
        if (kind === 0) entries.set(path, { path, type: "whiteout" });
        else if (kind === 1) entries.set(path, { path, type: "directory", opaque: next(2) === 0 });
        else entries.set(path, { path, content: next(3000) });
      }
      return new FakeLayer([...entries.values()]);
    });
    const view = ImageView.read(layers, breathe);
    const { total, layers: told, tree } = explainImage(view, { top: 9, depth: 9, breathe });
    expect(total.visible + total.wasted).toBe(total.bytes);
    expect(total.replaced + total.deleted).toBe(total.wasted);
    expect(told.reduce((sum, { visible }) => sum + visible, 0)).toBe(total.visible);
    expect(told.reduce((sum, { hides }) => sum + hides, 0)).toBe(total.wasted);
    expect(tree.bytes).toBe(total.visible);
  }
});

test("too many files, and a cancel, end it", () => {
  const files = Array.from({ length: 5000 }, (_, at) => ({ path: `f${at}` }));
  const limits = { entries: 100, depth: 10, steps: 100 };
  const work = () => ImageView.read([new FakeLayer(files)], breathe, limits);
  expect(work).toThrow("more than 100 files");
  const deep = { path: Array.from({ length: 20 }, () => "d").join("/") };
  expect(() => ImageView.read([new FakeLayer([deep])], breathe, limits)).toThrow("nested");
  const cancelled = () => {
    throw new Fault("canceled", "canceled");
  };
  expect(() => ImageView.read([new FakeLayer(files)], cancelled)).toThrow("canceled");
});

test("links that lead through thousands of names end a look-up, and many of them the work", () => {
  const zigzag = "d/../".repeat(800);
  const links = Array.from({ length: 12 }, (_, n) => ({
    ...{ path: `l${n}`, type: "symlink" as const, linkName: `${zigzag}l${n + 1}` },
  }));
  const layer = new FakeLayer([{ path: "d/file" }, { path: "l12" }, ...links]);
  const limits = { entries: 100, depth: 10, steps: 15_000 };
  const { tree } = ImageView.read([layer], breathe, limits);
  expect(tree.resolve("l11", true)?.name).toBe("l12");
  expect(tree.resolve("l0", true)).toBeUndefined();
  expect(() => Array.from({ length: 3 }, () => tree.resolve("l0", true))).toThrow("too far");
});

test("looking for owners can be cancelled within the files of one package", () => {
  const { tree } = ImageView.read([new FakeLayer([{ path: "file" }])], breathe);
  const found = { manager: "dpkg", name: "endless", version: "1" } as const;
  const paths = {
    *[Symbol.iterator]() {
      for (;;) yield "file";
    },
  };
  const cancelled = () => {
    throw new Fault("canceled", "canceled");
  };
  expect(() => findOwners(tree, [{ ...found, paths }], { breathe: cancelled })).toThrow("canceled");
});

test("links that lead in circles and out of the image are not packages' files", () => {
  const view = ImageView.read(
    [
      new FakeLayer([
        { path: "a", type: "symlink", linkName: "b" },
        { path: "b", type: "symlink", linkName: "a" },
        { path: "up", type: "symlink", linkName: "../../../etc" },
        { path: "etc/x", content: "1" },
      ]),
    ],
    breathe,
  );
  expect(view.tree.resolve("a/x")).toBeUndefined();
  expect(view.tree.resolve("a", true)).toBeUndefined();
  expect(view.tree.resolve("up/x")?.name).toBe("x");
});
