import { expect, test } from "bun:test";
import { silentLog } from "#base";
import { type Digest, mediaTypes, sha256 } from "#image";
import { random, rounds } from "../../src/base/testing.ts";
import { Collector } from "../../src/registry-server/collector.ts";
import {
  isRepositoryName,
  isTag,
  layout,
  type RepositoryName,
} from "../../src/registry-server/layout.ts";
import { Leases } from "../../src/registry-server/leases.ts";
import {
  parseManifestDocument,
  referencesOfStored,
} from "../../src/registry-server/manifest-document.ts";
import { RegistryError } from "../../src/registry-server/registry-error.ts";
import { Repositories } from "../../src/registry-server/repositories.ts";
import { MemoryStore } from "../../src/registry-server/testing.ts";
import { Uploads } from "../../src/registry-server/uploads.ts";

/**
 * Clients that push, mount, look, delete, and a collection, side by side over one
 * store. A seeded scheduler lets one step of the store happen at a time, in any order,
 * and lets time pass. The store itself complains at the moment when something goes that
 * is referred to.
 */

const interleavings = rounds(2000, 100_000);
const firstSeed = 20_260_101;

/** Numbers from 0 up to 1. */
function seeded(seed: number): () => number {
  const next = random(seed);
  return () => next(2 ** 32) / 2 ** 32;
}

class Crashed extends Error {}

/** Holds every step of the store until its turn comes. */
class Scheduler {
  readonly #random: () => number;
  readonly #waiting: (() => void)[] = [];
  steps = 0;
  nowMs = 1_000_000_000;
  isFree = true;

  constructor(random: () => number) {
    this.#random = random;
  }

  readonly step = async (): Promise<void> => {
    if (this.isFree) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  };

  /** Lets things happen until nobody waits, or for `limit` steps; whether all came to an end. */
  async run(limit: number): Promise<boolean> {
    for (let done = 0; ; done++) {
      // All that can go on without the store does so first.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#waiting.length === 0) return true;
      if (done === limit) return false;
      const at = Math.floor(this.#random() * this.#waiting.length);
      const [turn] = this.#waiting.splice(at, 1);
      this.nowMs += Math.floor(this.#random() ** 4 * 3000);
      this.steps++;
      turn?.();
    }
  }
}

interface Document {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly blobs: readonly Buffer[];
  readonly children: readonly Document[];
}

const blob = (index: number) => Buffer.from(`blob ${index}`);

function manifest(layers: readonly number[], more: Record<string, unknown> = {}): Document {
  const blobs = [blob(0), ...layers.map(blob)];
  const [config, ...rest] = blobs.map((bytes) => ({
    mediaType: mediaTypes.layer,
    digest: sha256(bytes),
    size: bytes.length,
  }));
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: rest,
    ...more,
  };
  const bytes = Buffer.from(JSON.stringify(document));
  return { bytes, digest: sha256(bytes), blobs, children: [] };
}

function index(children: readonly Document[]): Document {
  const manifests = children.map(({ bytes, digest }) => ({
    mediaType: mediaTypes.manifest,
    digest,
    size: bytes.length,
  }));
  const document = { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
  const bytes = Buffer.from(JSON.stringify(document));
  return { bytes, digest: sha256(bytes), blobs: [], children };
}

const [one, two, three] = [manifest([1, 2]), manifest([2, 3]), manifest([4])];
const about = manifest([5], { subject: { mediaType: "x", digest: one.digest, size: 1 } });
const documents = [one, two, three, about, index([one, two]), index([two, three])];
const names = ["a", "a/b", "c"].filter(isRepositoryName);
const tags = ["x", "y"].filter(isTag);

/** What a set of links keeps alive; the same definition as the collector's, written down once more. */
function reachable(
  store: MemoryStore,
  name: RepositoryName,
  revisions: readonly Digest[],
): Set<Digest> {
  const found = new Set<Digest>();
  const rest = [...revisions];
  for (let next = rest.pop(); next; next = rest.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    const bytes = store.objects.get(layout.blob(next))?.bytes;
    if (!bytes) throw new Error(`${name}: the manifest ${next} is referred to, and gone`);
    for (const { kind, digest } of referencesOfStored(bytes)) {
      if (kind === "manifest") rest.push(digest);
      else found.add(digest);
    }
  }
  return found;
}

function linked(store: MemoryStore, directory: string): Digest[] {
  return [...store.objects.keys()]
    .filter((key) => key.startsWith(`${directory}/`) && key.endsWith("/link"))
    .map((key) => key.slice(directory.length + 1, -"/link".length).replace("/", ":") as Digest);
}

/** All that repositories need is there, and every tag leads to a manifest. */
function requireWhole(store: MemoryStore, moment: string): void {
  for (const name of names) {
    const needed = reachable(store, name, linked(store, layout.revisions(name)));
    for (const digest of needed) {
      if (!store.objects.has(layout.blob(digest))) {
        throw new Error(`${moment}: ${name} refers to ${digest}, which is gone`);
      }
    }
    for (const tag of tags) {
      const target = store.objects.get(layout.currentTag(name, tag))?.bytes.toString();
      if (target && !store.objects.has(layout.revision(name, target as Digest))) {
        throw new Error(`${moment}: ${name}:${tag} points at ${target}, which is gone`);
      }
    }
  }
}

/** Complains when what goes is referred to, unless a user said that it goes. */
class WatchedStore extends MemoryStore {
  readonly deletedByUsers = new Set<string>();

  override async delete(key: string): Promise<void> {
    await super.delete(key);
    for (const name of names) {
      const revisions = linked(this, layout.revisions(name));
      for (const digest of reachable(this, name, revisions)) {
        const isLayer = documents.every((each) => each.digest !== digest);
        if (key === layout.blob(digest)) throw new Error(`${key} was taken from ${name}`);
        if (isLayer && key === layout.layer(name, digest)) throw new Error(`${key} was taken`);
      }
      for (const digest of linked(this, layout.layers(name))) {
        if (key === layout.blob(digest)) throw new Error(`${key} went before its link in ${name}`);
      }
      for (const { digest, children } of documents) {
        if (!revisions.includes(digest)) continue;
        const lost = children.find((child) => key === layout.revision(name, child.digest));
        if (lost && !this.deletedByUsers.has(key))
          throw new Error(`${key} was taken from an index`);
      }
    }
  }
}

function registry(scheduler: Scheduler, objects?: MemoryStore["objects"]) {
  const store = new WatchedStore({
    now: () => scheduler.nowMs,
    step: scheduler.step,
    ...(objects ? { objects } : {}),
  });
  const clock = { now: () => BigInt(scheduler.nowMs) * 1_000_000n };
  const leases = new Leases(() => scheduler.nowMs, 5_000);
  const repositories = new Repositories(store, leases);
  const limits = { blobBytes: 1000, activeUploads: 100 };
  const uploads = new Uploads({ store, repositories, clock, limits });
  const collector = new Collector({ store, leases, repositories, uploads, clock, log: silentLog });
  return { store, leases, repositories, uploads, collector };
}

type Registry = ReturnType<typeof registry>;

class Client {
  readonly #registry: Registry;
  readonly #random: () => number;
  refused = 0;

  constructor(of: Registry, random: () => number) {
    this.#registry = of;
    this.#random = random;
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }

  /** As `docker push` does it; when the registry has lost something meanwhile it begins anew. */
  async push(document: Document, name: RepositoryName, withTag: boolean): Promise<void> {
    for (let attempt = 0; attempt < 3; attempt++) {
      for (const child of document.children) await this.#pushChild(child, name);
      for (const bytes of document.blobs) await this.#pushBlob(bytes, name);
      try {
        const tag = withTag ? this.#pick(tags) : undefined;
        const parsed = parseManifestDocument(document.bytes, "");
        await this.#registry.repositories.putManifest(name, {
          bytes: document.bytes,
          document: parsed,
          tag,
        });
        requireWhole(this.#registry.store, "after a put");
        return;
      } catch (error) {
        if (!(error instanceof RegistryError) || error.code !== "MANIFEST_BLOB_UNKNOWN")
          throw error;
        this.refused++;
      }
    }
  }

  async #pushChild(child: Document, name: RepositoryName): Promise<void> {
    if (await this.#registry.repositories.manifest(name, child.digest)) return;
    await this.push(child, name, false);
  }

  async #pushBlob(bytes: Buffer, name: RepositoryName): Promise<void> {
    const { repositories, uploads } = this.#registry;
    const digest = sha256(bytes);
    if (await repositories.blobSize(name, digest)) return;
    const from = this.#pick(names);
    const mounts = this.#random() < 0.5 && (await repositories.blobSize(from, digest));
    if (mounts && (await repositories.linkBlob(name, digest))) return;
    const id = await uploads.begin(name);
    async function* body() {
      yield bytes;
    }
    try {
      if (this.#random() < 0.3) await uploads.append(name, id, { stream: body() });
      else return void (await uploads.finish(name, id, { digest, body: { stream: body() } }));
      if (this.#random() < 0.1) return; // the client has gone away
      await uploads.finish(name, id, { digest });
    } catch (error) {
      // A collection with no patience has given the upload up.
      if (!(error instanceof RegistryError)) throw error;
    }
  }

  async act(): Promise<void> {
    const { repositories, collector } = this.#registry;
    const name = this.#pick(names);
    const what = this.#random();
    if (what < 0.4) await this.push(this.#pick(documents), name, this.#random() < 0.6);
    else if (what < 0.48) {
      const { digest } = this.#pick(documents);
      this.#registry.store.deletedByUsers.add(layout.revision(name, digest));
      await repositories.deleteManifest(name, digest);
    } else if (what < 0.58) await repositories.deleteTag(name, this.#pick(tags));
    else if (what < 0.75) await repositories.manifest(name, this.#pick(documents).digest);
    else {
      await collector.collect({
        graceSeconds: this.#pick([0, 0, 1, 5]),
        deleteUntagged: this.#random() < 0.5,
        uploadSeconds: this.#pick([0, 2, 3600]),
      });
    }
  }
}

/** Links of manifests, and of tags and referrers that lead to one. */
function isNeededLink(store: MemoryStore, key: string): boolean {
  if (/\/_manifests\/revisions\//.test(key)) return true;
  const target = store.objects.get(key)?.bytes.toString() as Digest;
  const [, name, tag] =
    /repositories\/(.*?)\/_(?:manifests|referrers)\/(?:tags\/(.*?)\/)?/.exec(key) ?? [];
  if (!name || !isRepositoryName(name)) return false;
  if (tag) return isTag(tag) && store.objects.has(layout.currentTag(name, tag));
  return store.objects.has(layout.revision(name, target));
}

/** Nothing is left but what manifests need, and nothing of that is missing. */
function requireClean(store: MemoryStore): void {
  requireWhole(store, "at the end");
  const wanted = new Set<string>();
  for (const name of names) {
    const needed = reachable(store, name, linked(store, layout.revisions(name)));
    for (const digest of needed) wanted.add(layout.blob(digest)).add(layout.layer(name, digest));
  }
  const left = [...store.objects.keys()].filter(
    (key) => !wanted.has(key) && !isNeededLink(store, key),
  );
  if (left.length > 0) throw new Error(`left over: ${left.join(", ")}`);
}

async function interleave(seed: number): Promise<{ steps: number; refused: number }> {
  const chance = seeded(seed);
  const scheduler = new Scheduler(chance);
  let running = registry(scheduler);
  const setup = new Client(running, chance);
  for (let count = Math.floor(chance() * 3); count > 0; count--) await setup.act();
  scheduler.nowMs += chance() < 0.5 ? 60_000 : 0;

  scheduler.isFree = false;
  const clients = Array.from({ length: 4 }, () => new Client(running, chance));
  const failures: unknown[] = [];
  let ended = 0;
  for (const client of clients) {
    const acts = async () => {
      await client.act();
      if (chance() < 0.5) await client.act();
    };
    void acts()
      .catch((error: unknown) => failures.push(error))
      .finally(() => ended++);
  }
  const isCrash = chance() < 0.25;
  const isOver = await scheduler.run(isCrash ? Math.floor(chance() * 120) : 20_000);
  if (failures.length > 0) throw failures[0];
  if (!isCrash && !(isOver && ended === clients.length)) throw new Crashed("it does not end");

  // What was under way in a crash never goes on; a new server starts over the same objects.
  scheduler.isFree = true;
  if (isCrash) running = registry(scheduler, new Map(running.store.objects));
  requireWhole(running.store, isCrash ? "after the crash" : "after all");
  scheduler.nowMs += 100_000_000;
  await running.collector.collect({
    graceSeconds: 0,
    uploadSeconds: 0,
    deleteUntagged: chance() < 0.5,
  });
  requireClean(running.store);
  return { steps: scheduler.steps, refused: clients.reduce((sum, each) => sum + each.refused, 0) };
}

test(`${interleavings} interleavings of push, mount, delete and collection lose nothing and leave nothing`, async () => {
  const total = { steps: 0, refused: 0 };
  for (let seed = firstSeed; seed < firstSeed + interleavings; seed++) {
    try {
      const { steps, refused } = await interleave(seed);
      total.steps += steps;
      total.refused += refused;
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  // Otherwise they would not have met.
  expect(total.steps).toBeGreaterThan(40 * interleavings);
});
