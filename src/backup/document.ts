import { Fault } from "#base";
import { type BlobRef, maxKeyFile, type SegmentRef, segmentLimits } from "#chunk";
import {
  type Digest,
  encodeDocument,
  type JsonCursor,
  maxDocumentBytes,
  mediaTypes,
  parseDigest,
  parseJson,
} from "#image";

/** The kind of artifact that a backup of a volume is (image-spec manifest.md, "artifactType"). */
export const artifactType = "application/vnd.thimble.volume.v1";
const configType = "application/vnd.thimble.volume.config.v1+json";
const packType = "application/vnd.thimble.volume.pack.v1";
const segmentType = "application/vnd.thimble.volume.index.v1";

/** The most blobs that a manifest of 4 MiB can list. */
const maxBlobs = 20_000;

/** The facts of a backup, as its configuration has them. */
export interface BackupConfig {
  /** Absent in encrypted backups, as are the labels. */
  readonly volume?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** RFC 3339. */
  readonly created: string;
  /** Bytes of a chunk on average. */
  readonly average: number;
  /** Bytes of the archive. */
  readonly size: number;
  readonly chunks: number;
  readonly segments: readonly SegmentRef[];
  /** The key as an age file for its holders, in base64; absent: it is not encrypted. */
  readonly key?: string | undefined;
}

/** A backup's manifest: its configuration, and the packs that have its chunks. */
export interface BackupManifest {
  readonly config: BlobRef;
  readonly packs: readonly BlobRef[];
}

/** The configuration as bytes. */
export function encodeConfig(config: BackupConfig): Buffer {
  return encodeDocument({ version: 1, ...config });
}

/** The manifest as bytes; `exhausted` for a volume whose backup would be more blobs than it holds. */
export function encodeManifest(manifest: BackupManifest, config: BackupConfig): Buffer {
  const { packs } = manifest;
  const descriptor = (mediaType: string) => (ref: BlobRef) => ({
    mediaType,
    digest: ref.digest,
    size: ref.size,
  });
  const bytes = encodeDocument({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType,
    config: descriptor(configType)(manifest.config),
    layers: [...config.segments.map(descriptor(segmentType)), ...packs.map(descriptor(packType))],
    annotations: {
      "org.opencontainers.image.created": config.created,
      ...(config.volume !== undefined && { "org.opencontainers.image.title": config.volume }),
    },
  });
  if (bytes.length <= maxDocumentBytes) return bytes;
  throw new Fault(
    "exhausted",
    `the backup needs ${packs.length} blobs, more than a manifest of 4 MiB can list; back up parts of the volume`,
  );
}

/** A manifest of a stranger; `invalid` when it is not that of a backup. */
export function parseManifest(bytes: Uint8Array, about: string): BackupManifest {
  const root = parseJson(about, bytes);
  if (root.at("artifactType").value !== artifactType)
    throw new Fault("invalid", `${about} is no backup of a volume, but something else`, { about });
  const layers = root.at("layers").list(maxBlobs, (each) => ({
    mediaType: each.at("mediaType").string(255),
    ...blobRef(each, segmentLimits.pack),
  }));
  return {
    config: blobRef(root.at("config"), maxDocumentBytes),
    packs: layers
      .filter(({ mediaType }) => mediaType === packType)
      .map(({ digest, size }) => ({ digest, size })),
  };
}

/** All blobs of a manifest, of whatever kind: what must stay while it is there. */
export function blobsOf(bytes: Uint8Array): readonly Digest[] {
  const root = parseJson("a manifest", bytes);
  const digests = root
    .at("layers")
    .optional((c) => c.list(maxBlobs, (each) => each.at("digest").as(parseDigest)));
  const config = root.at("config").optional((c) => c.at("digest").as(parseDigest));
  return [...(digests ?? []), ...(config ? [config] : [])];
}

/** A configuration of a stranger; `invalid` when it is none. */
export function parseConfig(bytes: Uint8Array): BackupConfig {
  const root = parseJson("the backup's configuration", bytes);
  if (root.at("version").integer() !== 1)
    root.at("version").fail("is not 1: a newer version of thimble made this backup");
  return {
    volume: root.at("volume").optional((c) => c.string(255)),
    labels: root.at("labels").optional((c) => c.map(1000, (each) => each.string())),
    created: root.at("created").string(64),
    average: root.at("average").size(),
    size: root.at("size").size(),
    chunks: root.at("chunks").size(),
    segments: root.at("segments").list(maxBlobs, (each) => ({
      ...blobRef(each, segmentLimits.bytes),
      id: each.at("id").string(64),
    })),
    key: root.at("key").optional((c) => c.string(2 * maxKeyFile)),
  };
}

function blobRef(cursor: JsonCursor, limit: number): BlobRef {
  const digest = cursor.at("digest").as(parseDigest);
  if (!digest.startsWith("sha256:")) cursor.at("digest").fail("must be a sha256 digest");
  const size = cursor.at("size").size();
  if (size > limit) cursor.at("size").fail(`is above ${limit}`);
  return { digest, size };
}
