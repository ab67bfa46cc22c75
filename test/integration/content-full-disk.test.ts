/** A data root on a file system that is full, at every point of a pull, a load and a commit. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect } from "#base";
import { parseReference, sha256 } from "#image";
import { mountAll } from "#kernel";
import { faultOf, openTestContent, type TestContent } from "../support/content.ts";
import { makeImage, sourceOf } from "../support/content-images.ts";
import { streamOf, tarOf } from "../support/tree.ts";

const kib = 1024;
const step = 100 * kib;

/** Bytes that do not compress. */
function noise(name: string, size: number): string {
  const chunks: Buffer[] = [];
  for (let n = 0; n * 32 < size; n++) {
    chunks.push(Buffer.from(sha256(`${name} ${n}`).slice(7), "hex"));
  }
  return Buffer.concat(chunks).subarray(0, size).toString("latin1");
}

const layer = (name: string) =>
  tarOf([
    { name: `${name}/`, type: "directory", mode: 0o755 },
    { name: `${name}/large`, content: noise(name, 200 * kib) },
    ...Array.from({ length: 10 }, (_, n) => ({ name: `${name}/small${n}`, content: `${n}` })),
  ]);
const image = makeImage({ layers: [layer("a"), layer("b"), layer("c")] });
const base = makeImage({ layers: [layer("base")] });
const source = sourceOf([image, base], { chunk: 16 * kib });
const removal = { force: true, usersOf: () => [] };
const pull = ({ content }: TestContent, made: typeof image, name: string) =>
  content.pull({
    manifestBytes: made.manifestBytes,
    references: [parseReference(name)],
    source,
  });

let mountPoint: string;
let mounted: AsyncDisposable;
let data: TestContent;
let archive: Buffer;

beforeAll(async () => {
  mountPoint = mkdtempSync(join(tmpdir(), "thimble-full-"));
  const tmpfs = { type: "tmpfs", source: "tmpfs", options: ["size=16m"] };
  mounted = await mountAll([tmpfs], mountPoint);
  data = await openTestContent(mountPoint);
  await pull(data, image, "saved:1");
  archive = await collect(data.content.saveArchive(["saved:1"]), 1 << 24, "archive");
  await data.content.images.remove("saved:1", removal);
  await pull(data, base, "base:1");
  mkdirSync(join(data.work, "upper"));
  writeFileSync(join(data.work, "upper/large"), noise("upper", 300 * kib), "latin1");
});

afterAll(async () => {
  await data.snapshots.drain();
  data.state.close();
  await mounted[Symbol.asyncDispose]();
  rmdirSync(mountPoint);
});

/** Leaves so much free for the time of `work`. */
async function withFree<T>(free: number, work: () => Promise<T>): Promise<T> {
  const filler = join(mountPoint, "filler");
  await data.snapshots.drain();
  const { bavail, bsize } = statfsSync(mountPoint);
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - free)));
  try {
    return await work();
  } finally {
    rmSync(filler);
  }
}

const works: Readonly<Record<string, () => Promise<unknown>>> = {
  pull: () => pull(data, image, "new:1"),
  load: () => data.content.loadArchive(streamOf(archive)),
  commit: () =>
    data.content.createImageFromUpper({
      ...{ upper: join(data.work, "upper"), base: data.content.resolve("base:1") },
      ...{ config: {}, reference: parseReference("new:1") },
    }),
};

test.each(Object.keys(works).map((name) => [name] as const))(
  "%s: exhausted at every point, said so, nothing half-stored, and done once there is room",
  async (name) => {
    const before = await data.leftovers();
    const work = works[name] as () => Promise<unknown>;
    let failures = 0;
    for (let free = 0; ; free += step) {
      expect(free).toBeLessThan(8 << 20);
      const fault = await withFree(free, async () => {
        const outcome = await work().then(
          () => undefined,
          (error: unknown) => faultOf(Promise.reject(error)),
        );
        // On a disk that is still full all of it must be readable, and gone.
        if (outcome) expect([free, await data.leftovers()]).toEqual([free, before]);
        return outcome;
      });
      if (!fault) break;
      failures++;
      expect([free, fault.code, fault.message]).toEqual([
        free,
        "exhausted",
        expect.stringMatching(/space|full|room/),
      ]);
      expect(data.state.query("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
      expect((await data.content.fsck({ repair: false })).findings).toEqual([]);
      expect(data.content.images.list().map(({ tags }) => tags)).toEqual([["base:1"]]);
    }
    expect(failures).toBeGreaterThan(3);
    const [made] = data.content.images.list();
    expect((await data.content.fsck({ repair: false, deep: true })).findings).toEqual([]);
    await withFree(0, () => data.content.images.remove(made?.id ?? "", removal));
    expect(await data.leftovers()).toEqual(before);
  },
);
