import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "#image";
import { outcome } from "../base/testing.ts";
import { randomBytes } from "../chunk/testing.ts";
import { createBackup, fetchBackup, openBackupStore, readBackup } from "./index.ts";

/** A backup whose documents are rewritten by a liar who puts their digests right. */
let root = "";
const honest = mkdtempSync(join(tmpdir(), "thimble-hostile-"));
const place = () => ({ kind: "directory", path: join(root, "backups") }) as const;
const { signal } = new AbortController();
const registry = () => Promise.reject(new Error("there is no registry"));

beforeAll(async () => {
  root = honest;
  for (const name of ["volume", "fetched"]) mkdirSync(join(root, name));
  writeFileSync(join(root, "volume/one"), randomBytes(100_000, "one"));
  await using store = await openBackupStore(place(), { registry, writes: true, signal });
  await createBackup(store, {
    ...{ volume: "data", labels: undefined, tag: "t", signal, onProgress: () => undefined },
    ...{ directory: join(root, "volume"), work: join(root, "work"), created: new Date() },
  });
});
afterAll(() => rmSync(honest, { recursive: true }));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-hostile-"));
  cpSync(honest, root, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

async function restore(): Promise<void> {
  await using store = await openBackupStore(place(), { registry, writes: false, signal });
  const target = mkdtempSync(join(root, "target-"));
  const openKey = () => Promise.reject(new Error("there is no key"));
  const request = { target, work: join(root, "fetched"), openKey, onProgress: () => undefined };
  await fetchBackup(store, await readBackup(store, "t"), { ...request, signal });
}

// biome-ignore lint/suspicious/noExplicitAny: documents are bent out of shape
type Json = any;

const blob = (digest: string) => join(root, "backups/blobs", digest.replace(":", "/"));
const read = (digest: string): Json => JSON.parse(readFileSync(blob(digest), "utf8"));

function write(document: Json): { readonly digest: string; readonly size: number } {
  const bytes = Buffer.from(JSON.stringify(document));
  const digest = sha256(bytes);
  writeFileSync(blob(digest), bytes);
  return { digest, size: bytes.length };
}

/** Changes the configuration, then the manifest. */
function lie(change: (config: Json, manifest: Json) => void): void {
  const path = join(root, "backups/index.json");
  const index: Json = JSON.parse(readFileSync(path, "utf8"));
  const manifest = read(index.manifests[0].digest);
  const config = read(manifest.config.digest);
  change(config, manifest);
  if (manifest.config) Object.assign(manifest.config, write(config));
  Object.assign(index.manifests[0], write(manifest));
  writeFileSync(path, JSON.stringify(index));
}

const isPack = ({ mediaType }: Json) => mediaType.includes("pack");
const lies: readonly (readonly [string, (config: Json, manifest: Json) => void, string])[] = [
  ["another kind of artifact", (_, m) => Object.assign(m, { artifactType: "x" }), "no backup of a"],
  ["a later version", (c) => Object.assign(c, { version: 2 }), "a newer version of thimble"],
  ["a shorter archive", (c) => Object.assign(c, { size: c.size - 1 }), "does not have"],
  ["a longer archive", (c) => Object.assign(c, { size: c.size + 1 }), "does not have"],
  ["an archive beyond the disk", (c) => Object.assign(c, { size: 2 ** 52 }), "make room first"],
  ["a negative size", (c) => Object.assign(c, { size: -1 }), "size"],
  ["no index", (c) => Object.assign(c, { segments: [] }), "does not have"],
  ["the index twice", (c) => c.segments.push(c.segments[0]), "does not have"],
  ["no packs", (_, m) => Object.assign(m, { layers: [] }), "it does not list sha256:"],
  [
    "a pack as index",
    (c, m) => Object.assign(c.segments[0], { ...m.layers.find(isPack), id: "0" }),
    "segment of the backup's index is damaged",
  ],
  [
    "a pack beyond all measure",
    (_, m) => Object.assign(m.layers.find(isPack), { size: 2 ** 40 }),
    "size is above",
  ],
  [
    "a digest that leads elsewhere",
    (c) => Object.assign(c.segments[0], { digest: "sha256:../../../../etc/passwd" }),
    "is not a digest",
  ],
  ["a key that is none", (c) => Object.assign(c, { key: "AAAA" }), "there is no key"],
  ["segments that are no list", (c) => Object.assign(c, { segments: { length: 1e9 } }), "segments"],
];

test.each(lies)("a backup that claims %s is refused, and nothing stays", async (_, change, why) => {
  lie(change);
  expect(await outcome(restore())).toThrow(why);
  expect(readdirSync(join(root, "fetched"))).toEqual([]);
});

test("the same documents without a lie are restored", async () => {
  lie(() => undefined);
  await restore();
});
