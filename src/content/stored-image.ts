import { defined } from "#base";
import type { ChainId, Descriptor, DiffId, Digest, ImageConfig, Manifest } from "#image";
import { chainIds } from "#image";
import type { Snapshotter } from "#snapshot";
import type { ListedRow, NameRow } from "./image-table.ts";

/** The part of an image that a list shows, for which no document is read. */
export interface ListedImage {
  /** The digest of the configuration. */
  readonly id: Digest;
  /** The digest of the manifest: the one that was asked for, or the latest of several. */
  readonly digest: Digest;
  /** Familiar: "debian:12". Empty for a dangling image. */
  readonly tags: readonly string[];
  /** "debian@sha256:..." of those names that carry a digest. */
  readonly digests: readonly string[];
  /** Bytes of the files of all layers. */
  readonly size: number;
  /** Seconds since the epoch, of the configuration; 0 when it does not say. */
  readonly created: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The image of the container that it was committed from, which may be gone. */
  readonly parent?: Digest;
}

/** A layer of an image, unpacked and as a blob. */
export interface StoredLayer {
  readonly diffId: DiffId;
  readonly chainId: ChainId;
  readonly blob: Descriptor;
  /** Bytes of its files. */
  readonly size: number;
}

/** An image with its documents. */
export interface StoredImage extends ListedImage {
  /** Nanoseconds since the epoch. */
  readonly lastTagged?: bigint;
  readonly manifest: Manifest;
  /** Bytes of the manifest's document. */
  readonly manifestSize: number;
  readonly config: ImageConfig;
  /** That of the uppermost layer, over which a container's snapshot is prepared. Absent without layers. */
  readonly chainId?: ChainId;
  /** Lowest first. */
  readonly layers: readonly StoredLayer[];
}

/** The documents of an image, read and parsed. */
export interface Documents {
  readonly manifest: Manifest;
  readonly manifestSize: number;
  readonly config: ImageConfig;
}

/** With these names, canonical. */
export function listedImage(row: ListedRow, references: readonly string[]): ListedImage {
  const isDigest = (reference: string) => reference.includes("@");
  return {
    id: row.id,
    digest: row.manifest,
    tags: references.filter((reference) => !isDigest(reference)).map(familiar),
    digests: references.filter(isDigest).map(familiar),
    size: row.size,
    created: row.created ?? 0,
    labels: row.labels === null || row.labels === "{}" ? {} : JSON.parse(row.labels),
    ...(row.parent !== null && { parent: row.parent }),
  };
}

/** As `familiarString` of the parsed reference, which a list of a thousand images has no time for. */
function familiar(reference: string): string {
  if (!reference.startsWith("docker.io/")) return reference;
  const path = reference.slice("docker.io/".length);
  const isOfficial = path.startsWith("library/") && path.indexOf("/", "library/".length) < 0;
  return isOfficial ? path.slice("library/".length) : path;
}

/** An image of its row, its names and its documents; layers that are not unpacked have size 0. */
export function storedImage(
  { row, names }: { readonly row: ListedRow; readonly names: readonly NameRow[] },
  { manifest, manifestSize, config }: Documents,
  snapshots: Snapshotter,
): StoredImage {
  const chains = chainIds(config.rootfs.diff_ids);
  const chainId = chains.at(-1);
  let lastTagged = 0n;
  for (const { tagged } of names) if (BigInt(tagged) > lastTagged) lastTagged = BigInt(tagged);
  return {
    ...listedImage(
      row,
      names.map(({ reference }) => reference),
    ),
    ...(lastTagged > 0n && { lastTagged }),
    manifest,
    manifestSize,
    config,
    ...defined({ chainId }),
    layers: chains.map((chain, index) => ({
      diffId: config.rootfs.diff_ids[index] as DiffId,
      chainId: chain,
      blob: manifest.layers[index] as Descriptor,
      size: snapshots.stat(chain)?.size ?? 0,
    })),
  };
}

/** Seconds since the epoch; 0 when the configuration does not say, or says nonsense. */
export function createdOf({ created }: ImageConfig): number {
  const time = created === undefined ? Number.NaN : Date.parse(created);
  return Number.isNaN(time) || time < 0 ? 0 : Math.floor(time / 1000);
}

/** Empty when the configuration has no labels. */
export function labelsOf({ config }: ImageConfig): Readonly<Record<string, string>> {
  return config?.Labels ?? {};
}
