import { Fault } from "#base";
import {
  canonicalString,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  digestPath,
  encodeDocument,
  familiarString,
  formatPlatform,
  mediaTypes,
  type Platform,
  parseReference,
  platformDistance,
  withDefaultTag,
} from "#image";
import type { Compression, CompressionChoice } from "#layer";
import { type TarHeader, TarWriter } from "#tar";
import type { Artifact } from "./hold-image.ts";
import type { ImageStore } from "./image-store.ts";
import type { ContentParts } from "./load.ts";
import { changed, recompressed } from "./recompress.ts";
import type { StoredImage } from "./stored-image.ts";

export interface SaveOptions {
  /** The platform that the images must be for. */
  readonly platform?: Platform | undefined;
  /**
   * The compression of all layers; "keep": as they are stored. Default: gzip in the place of zstd,
   * which older readers do not know.
   */
  readonly compression?: CompressionChoice | "keep" | undefined;
  /** The names that the images have in the archive, familiar; absent: those by which they are asked for. */
  readonly tags?: readonly string[] | undefined;
}

/** What an archive needs of an image. */
export type ArchivableImage = Pick<StoredImage, "digest" | "manifest" | "manifestSize" | "layers">;

/** An image with the names it shall have in the archive. */
interface SavedImage {
  readonly image: ArchivableImage;
  /** Familiar. */
  readonly tags: readonly string[];
}

/** Each manifest once, with all names that it was asked for by. */
export function chooseImages(
  images: ImageStore,
  references: readonly string[],
  { platform, tags: given }: SaveOptions,
): readonly SavedImage[] {
  const saved = new Map<Digest, SavedImage>();
  for (const text of references) {
    const image = images.resolve(text);
    if (platform) requirePlatform(image, platform, text);
    const tags = [...(saved.get(image.digest)?.tags ?? []), ...(given ?? tagsOf(image, text))];
    saved.set(image.digest, { image, tags: [...new Set(tags)] });
  }
  return [...saved.values()];
}

function requirePlatform({ config }: StoredImage, wanted: Platform, text: string): void {
  if (platformDistance(wanted, config) !== undefined) return;
  throw new Fault(
    "not_found",
    `image "${text}" is for ${formatPlatform(config)} and cannot be saved for ${formatPlatform(wanted)}; pull it for that platform first`,
    { about: text },
  );
}

/** The name by which an image was asked for; an id, its beginning or a digest does not count. */
function tagsOf(image: StoredImage, text: string): readonly string[] {
  if (/^(sha256:)?[0-9a-f]+$/.test(text) && image.id.includes(text.replace(/^sha256:/, ""))) {
    return image.tags.includes(`${text}:latest`) ? [`${text}:latest`] : [];
  }
  const reference = withDefaultTag(parseReference(text));
  return reference.digest === undefined ? [familiarString(reference)] : [];
}

const file: Omit<TarHeader, "name" | "size"> = {
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0n,
  linkName: "",
};

/**
 * An archive as Docker writes it since version 25: an OCI layout, and manifest.json
 * beside it for `docker load`. The same images always give the same bytes.
 */
export async function* saveArchive(
  { blobs, collector }: Pick<ContentParts, "blobs" | "collector">,
  chosen: readonly SavedImage[],
  { compression }: SaveOptions = {},
): AsyncGenerator<Uint8Array, void> {
  // Who removes an image meanwhile must not cut its archive short.
  await using lease = collector.lease();
  const stored = chosen.flatMap(({ image }) => blobsOf(image));
  for (const digest of stored) lease.holdBlob(digest);
  const images: SavedImage[] = [];
  for (const each of chosen) {
    const image =
      compression === "keep"
        ? each.image
        : await recompressed({ blobs }, each.image, {
            choose: (layer, before) =>
              compression ? changed(before, compression) : forOldReaders(layer, before),
            lease,
          });
    images.push({ ...each, image });
  }
  const digests = new Set(images.flatMap(({ image }) => blobsOf(image)));
  yield* writeLayout({ blobs }, digests, [
    ["index.json", layoutIndex(images.flatMap(({ image, tags }) => named(rootOf(image), tags)))],
    ["manifest.json", images.map(dockerEntry)],
    ["oci-layout", layoutVersion],
    ["repositories", repositories(images)],
  ]);
}

/** What readers before 2023 do not know becomes gzip. */
export function forOldReaders(_: Descriptor, before: Compression): CompressionChoice | undefined {
  return before === "zstd" ? { format: "gzip" } : undefined;
}

/**
 * An artifact as an archive under these names: an OCI layout; of a single image in the form of
 * `saveArchive`.
 */
export async function* saveArtifact(
  { blobs }: Pick<ContentParts, "blobs">,
  { root, manifests, images }: Artifact,
  tags: readonly string[],
): AsyncGenerator<Uint8Array, void> {
  const parts = manifests.flatMap((each) => [each.descriptor, ...each.blobs]);
  const digests = new Set([root, ...parts].map(({ digest }) => digest));
  const { platform: _platform, ...entry } = root;
  const [image] = images;
  const saved = image && image.digest === root.digest ? [{ image, tags }] : [];
  yield* writeLayout({ blobs }, digests, [
    ["index.json", layoutIndex(named(entry, tags))],
    ...(saved.length > 0 ? [["manifest.json", saved.map(dockerEntry)] as const] : []),
    ["oci-layout", layoutVersion],
    ...(saved.length > 0 ? [["repositories", repositories(saved)] as const] : []),
  ]);
}

const layoutVersion = { imageLayoutVersion: "1.0.0" };

async function* writeLayout(
  { blobs }: Pick<ContentParts, "blobs">,
  digests: ReadonlySet<Digest>,
  documents: readonly (readonly [name: string, value: object])[],
): AsyncGenerator<Uint8Array, void> {
  let ready: Uint8Array[] = [];
  const writer = new TarWriter((bytes) => ready.push(bytes.slice()));
  const take = () => {
    const taken = ready;
    ready = [];
    return taken;
  };
  const algorithms = new Set([...digests].map(digestAlgorithm).sort());
  for (const name of ["blobs/", ...[...algorithms].map((each) => `blobs/${each}/`)]) {
    writer.entry({ ...file, name, type: "directory", mode: 0o755, size: 0 });
  }
  for (const digest of [...digests].sort()) {
    writer.entry({ ...file, name: blobName(digest), size: blobs.size(digest) });
    for await (const chunk of blobs.read(digest)) {
      writer.data(chunk);
      yield* take();
    }
  }
  for (const [name, value] of documents) {
    const bytes = encodeDocument(value);
    writer.entry({ ...file, name, size: bytes.length }, bytes);
  }
  writer.finish();
  yield* take();
}

function blobsOf({ digest, manifest }: ArchivableImage): Digest[] {
  return [digest, manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)];
}

function blobName(digest: Digest): string {
  return `blobs/${digestPath(digest)}`;
}

function rootOf({ manifest, digest, manifestSize }: ArchivableImage): Descriptor {
  return { mediaType: manifest.mediaType, digest, size: manifestSize };
}

/** The entry of a layout once for each name. */
function named(entry: Descriptor, tags: readonly string[]): Descriptor[] {
  if (tags.length === 0) return [entry];
  return tags.map((tag) => {
    const reference = parseReference(tag);
    const annotations = {
      ...entry.annotations,
      "io.containerd.image.name": canonicalString(reference),
      "org.opencontainers.image.ref.name": reference.tag ?? "latest",
    };
    return { ...entry, annotations };
  });
}

function layoutIndex(manifests: readonly Descriptor[]): object {
  return { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
}

function dockerEntry({ image, tags }: SavedImage): object {
  return {
    Config: blobName(image.manifest.config.digest),
    RepoTags: tags.length > 0 ? tags : null,
    Layers: image.manifest.layers.map(({ digest }) => blobName(digest)),
    LayerSources: Object.fromEntries(
      image.layers.map(({ diffId, blob }) => [
        diffId,
        { mediaType: blob.mediaType, size: blob.size, digest: blob.digest },
      ]),
    ),
  };
}

/** For readers older than manifest.json: repository, tag, uppermost layer. */
function repositories(images: readonly SavedImage[]): object {
  const found = new Map<string, Map<string, string>>();
  for (const { image, tags } of images) {
    const top = image.layers.at(-1);
    for (const text of top ? tags : []) {
      const colon = text.lastIndexOf(":");
      const name = text.slice(0, colon);
      const repository = found.get(name) ?? new Map<string, string>();
      if (top) repository.set(text.slice(colon + 1), digestHex(top.diffId));
      found.set(name, repository);
    }
  }
  return Object.fromEntries([...found].map(([name, tags]) => [name, Object.fromEntries(tags)]));
}
