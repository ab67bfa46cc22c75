import { setImmediate } from "node:timers/promises";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Fault } from "#base";
import type { BlobSource } from "#content";
import {
  type Descriptor,
  type Digest,
  type DigestAlgorithm,
  Digester,
  encodeDocument,
  isLayerType,
  type Manifest,
  mediaTypes,
  sha256,
} from "#image";
import { tarOf } from "./tree.ts";

/** An image as a registry has it: documents and blobs. */
export interface MadeImage {
  readonly manifestBytes: Buffer;
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly id: Digest;
  readonly blobs: ReadonlyMap<Digest, Buffer>;
}

export interface MakeImageOptions {
  /** Plain tars, lowest first. */
  readonly layers: readonly Buffer[];
  readonly compression?: "none" | "gzip" | "zstd";
  /** Of all digests in it. Default sha256. */
  readonly algorithm?: DigestAlgorithm;
  /** Docker's schema 2 instead of OCI. */
  readonly docker?: boolean;
  /** Further members of the configuration. */
  readonly config?: object;
  /** Further members of the manifest. */
  readonly manifest?: object;
}

const ociLayers = {
  none: mediaTypes.layer,
  gzip: mediaTypes.layerGzip,
  zstd: mediaTypes.layerZstd,
};
const dockerLayers = {
  none: mediaTypes.dockerLayer,
  gzip: mediaTypes.dockerLayerGzip,
  zstd: mediaTypes.dockerLayerZstd,
};

export function makeImage(options: MakeImageOptions): MadeImage {
  const { layers, compression = "gzip", docker = false, algorithm } = options;
  const digestOf = (bytes: Buffer) => new Digester(algorithm).update(bytes).digest();
  const blobs = new Map<Digest, Buffer>();
  const describe = (mediaType: string, bytes: Buffer): Descriptor => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const config = encodeDocument({
    architecture: "amd64",
    os: "linux",
    created: "2024-05-06T07:08:09Z",
    config: { Cmd: ["/bin/sh"] },
    rootfs: { type: "layers", diff_ids: layers.map(digestOf) },
    ...options.config,
  });
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: docker ? mediaTypes.dockerManifest : mediaTypes.manifest,
    config: describe(docker ? mediaTypes.dockerConfig : mediaTypes.config, config),
    layers: layers.map((layer) =>
      describe((docker ? dockerLayers : ociLayers)[compression], compressed(layer, compression)),
    ),
    ...options.manifest,
  };
  const manifestBytes = encodeDocument(manifest);
  return { manifestBytes, digest: sha256(manifestBytes), manifest, id: sha256(config), blobs };
}

function compressed(layer: Buffer, compression: "none" | "gzip" | "zstd"): Buffer {
  if (compression === "none") return layer;
  return compression === "gzip" ? gzipSync(layer) : Buffer.from(zstdCompressSync(layer));
}

/** A source that records which blobs were fetched from it, and how many layers at once. */
export interface MadeSource extends BlobSource {
  readonly fetched: Digest[];
  readonly mostOpen: () => number;
}

export interface SourceHooks {
  /** Bytes of a chunk. */
  readonly chunk?: number;
  /** Awaited before each chunk; may throw. */
  readonly before?: (descriptor: Descriptor, offset: number, signal?: AbortSignal) => Promise<void>;
  /** The bytes that come instead of a blob's. */
  readonly instead?: (digest: Digest, bytes: Buffer) => Buffer;
}

export function sourceOf(images: readonly MadeImage[], hooks: SourceHooks = {}): MadeSource {
  const { chunk = 512, before, instead } = hooks;
  const blobs = new Map(images.flatMap((image) => [...image.blobs]));
  const fetched: Digest[] = [];
  let open = 0;
  let mostOpen = 0;
  return {
    fetched,
    mostOpen: () => mostOpen,
    async *blob(descriptor, { signal } = {}) {
      fetched.push(descriptor.digest);
      const found = blobs.get(descriptor.digest);
      if (!found) throw new Fault("not_found", `the registry has no blob ${descriptor.digest}`);
      const bytes = instead?.(descriptor.digest, found) ?? found;
      const weight = isLayerType(descriptor.mediaType) ? 1 : 0;
      open += weight;
      mostOpen = Math.max(mostOpen, open);
      try {
        for (let at = 0; at < bytes.length; at += chunk) {
          await (before ? before(descriptor, at, signal) : setImmediate());
          yield bytes.subarray(at, at + chunk);
        }
      } finally {
        open -= weight;
      }
    },
  };
}

/** Two images over one base: one that a process dies over, one that must stay. */
export function victimImages(): { readonly kept: MadeImage; readonly victim: MadeImage } {
  const layer = (name: string) =>
    tarOf([
      { name: "etc/", type: "directory", mode: 0o755 },
      { name: `etc/${name}`, content: name.repeat(1000) },
    ]);
  const base = layer("base");
  return {
    kept: makeImage({ layers: [base, layer("kept")] }),
    victim: makeImage({ layers: [base, layer("victim"), layer("top")] }),
  };
}
