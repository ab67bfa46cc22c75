import { Fault } from "#base";
import { type Digest, mediaTypes, sha256 } from "#image";
import type {
  ListEntry,
  ObjectStat,
  ObjectStore,
  ObjectWriter,
  WalkEntry,
} from "./object-store.ts";
import type { RegistryServer, RegistryServerOptions } from "./registry-server.ts";
import { startServer } from "./start-server.ts";
import { byBytes, requireDirectory, requireKey } from "./store-key.ts";

interface MemoryObject {
  bytes: Buffer;
  modified: number;
}

/** Objects in memory, for tests; `step` is awaited before each thing that it does, so that a test decides what comes first. */
export class MemoryStore implements ObjectStore {
  readonly objects: Map<string, MemoryObject>;
  readonly chunkMinLength?: number;
  readonly #now: () => number;
  readonly #step: (what: string) => Promise<void> | undefined;

  constructor(
    options: {
      readonly objects?: Map<string, MemoryObject>;
      readonly chunkMinLength?: number;
      /** Milliseconds. */
      readonly now?: () => number;
      readonly step?: (what: string) => Promise<void>;
    } = {},
  ) {
    this.objects = options.objects ?? new Map();
    if (options.chunkMinLength !== undefined) this.chunkMinLength = options.chunkMinLength;
    this.#now = options.now ?? Date.now;
    this.#step = options.step ?? (() => undefined);
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    requireKey(key);
    await this.#step(`stat ${key}`);
    const found = this.objects.get(key);
    return found && { size: found.bytes.length, modified: found.modified };
  }

  async get(key: string, limit: number): Promise<Buffer | undefined> {
    requireKey(key);
    await this.#step(`get ${key}`);
    const found = this.objects.get(key)?.bytes;
    if (found && found.length > limit) throw new Fault("exhausted", `${key} is too large`);
    return found && Buffer.from(found);
  }

  async *read(
    key: string,
    range: { readonly start?: number; readonly end?: number } = {},
  ): AsyncGenerator<Uint8Array> {
    requireKey(key);
    await this.#step(`read ${key}`);
    const found = this.objects.get(key)?.bytes;
    if (!found) throw missing(key);
    const end = Math.min(range.end ?? found.length, found.length);
    for (let at = range.start ?? 0; at < end; at += 1 << 20) {
      yield Buffer.from(found.subarray(at, Math.min(end, at + (1 << 20))));
    }
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    requireKey(key);
    const copy = Buffer.from(bytes);
    await this.#step(`write ${key}`);
    this.objects.set(key, { bytes: copy, modified: this.#now() });
  }

  async writer(key: string): Promise<ObjectWriter> {
    requireKey(key);
    await this.#step(`open ${key}`);
    const found = this.objects.get(key) ?? { bytes: Buffer.alloc(0), modified: this.#now() };
    this.objects.set(key, found);
    return {
      get size() {
        return found.bytes.length;
      },
      write: async (bytes) => {
        const copy = Buffer.from(bytes);
        await this.#step(`append ${key}`);
        found.bytes = Buffer.concat([found.bytes, copy]);
        found.modified = this.#now();
      },
      close: async () => await this.#step(`close ${key}`),
      commit: async () => await this.#step(`commit ${key}`),
      cancel: async () => await this.delete(key),
    };
  }

  async move(from: string, to: string): Promise<void> {
    requireKey(from);
    requireKey(to);
    await this.#step(`move ${from} ${to}`);
    const found = this.objects.get(from);
    if (!found) throw missing(from);
    this.objects.delete(from);
    this.objects.set(to, found);
  }

  async delete(key: string): Promise<void> {
    requireKey(key);
    await this.#step(`delete ${key}`);
    this.objects.delete(key);
  }

  async *list(
    directory: string,
    options: { readonly after?: string } = {},
  ): AsyncGenerator<ListEntry> {
    const below = requireDirectory(directory) === "" ? "" : `${directory}/`;
    await this.#step(`list ${directory}`);
    const found = new Map<string, ListEntry>();
    for (const key of this.objects.keys()) {
      if (!key.startsWith(below)) continue;
      const [name = "", ...rest] = key.slice(below.length).split("/");
      if (name <= (options.after ?? "") || found.get(name)?.kind === "directory") continue;
      found.set(name, { name, kind: rest.length > 0 ? "directory" : "object" });
    }
    yield* [...found.values()].sort((a, b) => byBytes(a.name, b.name));
  }

  async *walk(directory: string): AsyncGenerator<WalkEntry> {
    const below = requireDirectory(directory) === "" ? "" : `${directory}/`;
    await this.#step(`walk ${directory}`);
    for (const [key, { bytes, modified }] of [...this.objects]) {
      if (key.startsWith(below)) yield { key, size: bytes.length, modified };
    }
  }
}

function missing(key: string): Fault {
  return new Fault("not_found", `there is no object ${key}`);
}

/** A registry on a free port of loopback, in memory unless a store is given. */
export async function startTestServer(
  options: Partial<RegistryServerOptions> = {},
): Promise<RegistryServer> {
  return await startServer({
    address: { host: "127.0.0.1", port: 0 },
    store: new MemoryStore(),
    ...options,
  });
}

export interface TestImage {
  readonly blobs: readonly Buffer[];
  readonly manifest: Buffer;
  readonly digest: Digest;
  readonly mediaType: string;
}

/** An image of some text layers, the last but one member its configuration. */
export function testImage(
  texts: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
): TestImage {
  const blobs = ["{}", ...texts].map((text) => Buffer.from(text));
  const [config, ...layers] = blobs.map((bytes, index) => ({
    mediaType: index === 0 ? mediaTypes.config : mediaTypes.layer,
    digest: sha256(bytes),
    size: bytes.length,
  }));
  const document = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers, ...more };
  const manifest = Buffer.from(JSON.stringify(document));
  return { blobs, manifest, digest: sha256(manifest), mediaType: document.mediaType };
}

/** A client that does what it is told, over fetch. */
export function testClient(url: string) {
  const call = (method: string, path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { method, redirect: "manual", ...init });
  const pushBlob = (name: string, bytes: Uint8Array) =>
    call("POST", `/v2/${name}/blobs/uploads/?digest=${sha256(bytes)}`, {
      body: Buffer.from(bytes),
    });
  const putManifest = (name: string, reference: string, image: TestImage) =>
    call("PUT", `/v2/${name}/manifests/${reference}`, {
      body: new Uint8Array(image.manifest),
      headers: { "Content-Type": image.mediaType },
    });
  return {
    call,
    pushBlob,
    putManifest,
    /** Blobs, then the manifest; the status of the last. */
    async push(name: string, reference: string, image: TestImage): Promise<number> {
      for (const blob of image.blobs) await pushBlob(name, blob);
      return (await putManifest(name, reference, image)).status;
    },
    async errorCodes(response: Response): Promise<string[]> {
      const { errors } = (await response.json()) as { errors: { code: string }[] };
      return errors.map((each) => each.code);
    },
  };
}
