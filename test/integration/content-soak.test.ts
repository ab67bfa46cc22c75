/**
 * Clients that pull, load, tag, save, remove and prune overlapping images at the same
 * time, by a fixed seed: afterwards, and now and then on the way, fsck finds nothing.
 * 3,000 steps take about ten seconds.
 */
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect, isFault } from "#base";
import type { Content } from "#content";
import { parseReference } from "#image";
import { type Random, random, rounds } from "../../src/base/testing.ts";
import { openTestContent, type TestContent } from "../support/content.ts";
import { type MadeImage, makeImage, sourceOf } from "../support/content-images.ts";
import { streamOf, tarOf } from "../support/tree.ts";

const steps = rounds(3000, 100_000);
const clients = 8;

/** Images over a few bases, some of one configuration in another compression. */
function overlappingImages(): readonly MadeImage[] {
  const layer = (name: string) =>
    tarOf([
      { name: `dir-${name}/`, type: "directory", mode: 0o755 },
      { name: `dir-${name}/file`, content: name.repeat(300) },
      { name: "etc/implied", content: name },
    ]);
  const layers = Array.from({ length: 7 }, (_, n) => layer(`layer${n}`));
  return Array.from({ length: 16 }, (_, n) => {
    const stack = layers.slice(n % 2, 2 + (n % 5)).concat(layers[n % 7] ?? []);
    const compression = n % 3 === 0 ? "zstd" : "gzip";
    const config = { author: `author ${n % 8}` };
    return makeImage({ layers: stack, compression, config, docker: n % 4 === 1 });
  });
}

const images = overlappingImages();
const names = Array.from({ length: 12 }, (_, n) => `registry.example/app${n % 4}:${n}`);
/** What a step may meet, since another client was faster, or gave up. */
const expected = new Set(["not_found", "conflict", "canceled"]);

type Step = (data: TestContent, random: Random) => Promise<unknown>;

const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)] as T;
const options = { force: true, usersOf: () => [] };

async function pull({ content }: TestContent, random: Random): Promise<void> {
  const made = pick(random, images);
  const name = parseReference(pick(random, names));
  const { domain, path } = name;
  const references = random(2) === 0 ? [name] : [name, { domain, path, digest: made.digest }];
  const stop = new AbortController();
  let left = random(4) === 0 ? random(12) : -1;
  const before = async () => {
    if (left-- === 0) stop.abort();
  };
  const source = sourceOf([made], { before });
  await content.pull({
    ...{ source, references, signal: stop.signal },
    manifestBytes: made.manifestBytes,
  });
}

async function load({ content }: TestContent, random: Random): Promise<void> {
  const archive = pick(random, archives);
  await content.loadArchive(streamOf(archive, 4096));
}

async function save({ content }: TestContent, random: Random): Promise<void> {
  await collect(content.saveArchive([pick(random, names)]), 1 << 24, "archive");
}

async function remove({ content }: TestContent, random: Random): Promise<void> {
  const byId = random(3) === 0;
  const ref = byId ? pick(random, images).id : pick(random, names);
  await content.images.remove(ref, options);
}

async function prune({ content }: TestContent): Promise<void> {
  for (const { id, tags } of content.images.list()) {
    if (tags.length === 0) await content.images.remove(id, options).catch(tolerate);
  }
  await content.collect();
}

async function commit({ content, snapshots }: TestContent, random: Random): Promise<void> {
  const base = content.resolve(pick(random, names));
  const key = `container-${random(1 << 30)}`;
  await snapshots.prepare(key, base.chainId);
  try {
    const reference = parseReference(pick(random, names));
    const upper = snapshots.directory(key);
    await content.createImageFromUpper({ upper, base, config: {}, reference, created: 0n });
  } finally {
    await snapshots.remove(key);
    await content.collect();
  }
}

const tag: Step = async ({ content }, random) =>
  content.images.tag(pick(random, names), pick(random, names));
const untag: Step = async ({ content }, random) => content.images.untag(pick(random, names));
const look: Step = async ({ content }, random) => {
  content.images.list();
  content.resolve(pick(random, names));
  await content.diskUsage();
};
const check: Step = async ({ content }) => {
  expect((await content.fsck({ repair: false })).findings).toEqual([]);
};

/** How often each, of a hundred. */
const mix: readonly (readonly [number, Step])[] = [
  [40, pull],
  [26, remove],
  [8, tag],
  [4, untag],
  [6, load],
  [3, save],
  [4, prune],
  [3, commit],
  [5, look],
  [1, check],
];
const table = mix.flatMap(([share, step]) => Array<Step>(share).fill(step));

function tolerate(error: unknown): void {
  if (!isFault(error) || !expected.has(error.code)) throw error;
}

let archives: readonly Buffer[] = [];

/** What `save` makes of some images, to be loaded. */
async function saveSome(): Promise<readonly Buffer[]> {
  await using data = await openTestContent();
  const source = sourceOf(images);
  for (const [n, { manifestBytes }] of images.entries()) {
    const references = [parseReference(names[n % names.length] ?? "")];
    await data.content.pull({ manifestBytes, references, source });
  }
  const save = (content: Content, ...refs: string[]) =>
    collect(content.saveArchive(refs), 1 << 24, "archive");
  return await Promise.all(
    names.map((name, n) => save(data.content, ...names.slice(n % 3, 1 + (n % 3)), name)),
  );
}

test(`${steps} random steps of ${clients} clients leave nothing damaged and nothing behind`, async () => {
  archives = await saveSome();
  const home = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  await using data = await openTestContent(mkdtempSync(join(home, "thimble-soak-")));
  const next = random(20240506);
  let left = steps;
  let done = 0;
  const client = async () => {
    while (left-- > 0) {
      try {
        await pick(next, table)(data, next);
        done++;
      } catch (error) {
        tolerate(error);
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  expect(done).toBeGreaterThan(steps / 3);
  expect((await data.content.fsck({ repair: false, deep: true })).findings).toEqual([]);
  await using again = await data.reopen();
  expect((await again.content.fsck({ repair: false })).findings).toEqual([]);
  for (const { id } of again.content.images.list()) await again.content.images.remove(id, options);
  expect(await again.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
  expect(again.state.query("SELECT * FROM blob_source")).toEqual([]);
});
