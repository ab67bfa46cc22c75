import { Fault } from "#base";
import {
  type Descriptor,
  type Digest,
  digestLike,
  digestPath,
  encodeDocument,
  formatPlatform,
  hostPlatform,
  type Index,
  isConfigType,
  isIndexType,
  isLayerType,
  isManifestType,
  type Manifest,
  mediaTypes,
  type Platform,
  parseImageConfig,
  parseIndex,
  parseJson,
  parseManifest,
  parseReference,
  platformDistance,
  type Reference,
  requireDigest,
  selectManifest,
  withDefaultTag,
} from "#image";
import type { ArchiveFile, ArchiveFiles } from "./archive-files.ts";

/** An image of an archive: what to store as its manifest, and under which names. */
export interface ArchivedImage {
  readonly manifest: Manifest;
  /** The manifest's bytes, as archived or made here. */
  readonly manifestBytes: Buffer;
  readonly references: readonly Reference[];
  /** Configuration and layers. */
  readonly files: readonly ArchiveFile[];
}

const maxImages = 1000;
const maxNesting = 3;

/**
 * The images of an archive: an OCI layout (index.json), a `docker save` of any version
 * (manifest.json), or both in one, as Docker writes since version 25; then the layout
 * counts, since it keeps manifests and their digests.
 */
export function readArchiveIndex(files: ArchiveFiles, wanted?: Platform): ArchivedImage[] {
  const images = files.has("index.json") ? readLayout(files, wanted) : undefined;
  const found =
    images ?? (files.has("manifest.json") ? readDockerArchive(files, wanted) : undefined);
  if (!found) {
    throw new Fault(
      "invalid",
      files.has("repositories")
        ? "the archive is in the format of Docker before 1.10, which is no longer supported; save it anew"
        : 'the archive holds no images: it has neither "index.json" nor "manifest.json"; use import for the tar of a root file system',
    );
  }
  if (found.length === 0 && wanted) {
    throw new Fault("not_found", `the archive has no image for ${formatPlatform(wanted)}`);
  }
  return found;
}

/** Undefined when the layout is not complete in itself, but a Docker archive is there as well. */
function readLayout(
  files: ArchiveFiles,
  wanted: Platform | undefined,
): ArchivedImage[] | undefined {
  const index = parseIndex(files.document("index.json"), "index.json");
  const names = dockerNames(files);
  try {
    const images = onceEach(
      forPlatform(index.manifests, wanted)
        .slice(0, maxImages)
        .flatMap((entry) => readEntry(files, entry, { wanted, names, depth: 0 })),
    );
    return images.length > 0 || !files.has("manifest.json") ? images : undefined;
  } catch (error) {
    if (error instanceof Fault && error.code === "not_found" && files.has("manifest.json"))
      return undefined;
    throw error;
  }
}

/**
 * Of entries that name a platform, those for the wanted one, the nearest for each name. When none
 * fits the host and no platform was asked for, all entries are taken.
 */
function forPlatform(
  entries: readonly Descriptor[],
  wanted: Platform | undefined,
): readonly Descriptor[] {
  const target = wanted ?? hostPlatform();
  const distanceOf = ({ platform }: Descriptor) =>
    platform && platform.architecture !== "" ? platformDistance(target, platform) : 0;
  const fitting = entries.filter((entry) => distanceOf(entry) !== undefined);
  if (fitting.length === 0) {
    if (wanted === undefined) return entries;
    // Says which platforms there are.
    return [
      selectManifest({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: entries }, wanted),
    ];
  }
  const nameOf = ({ annotations }: Descriptor) =>
    annotations?.["io.containerd.image.name"] ?? annotations?.["org.opencontainers.image.ref.name"];
  const nearest = new Map<string, number>();
  for (const entry of fitting) {
    const name = nameOf(entry);
    if (name === undefined || !entry.platform) continue;
    const distance = distanceOf(entry) ?? 0;
    nearest.set(name, Math.min(nearest.get(name) ?? distance, distance));
  }
  return fitting.filter((entry) => {
    const name = nameOf(entry);
    if (name === undefined || !entry.platform) return true;
    return distanceOf(entry) === nearest.get(name);
  });
}

/** Docker lists an image of several names once for each name; here it is one image with all of them. */
function onceEach(images: readonly ArchivedImage[]): ArchivedImage[] {
  const found = new Map<string, ArchivedImage>();
  for (const image of images) {
    const key = image.manifestBytes.toString("latin1");
    const references = [...(found.get(key)?.references ?? []), ...image.references];
    found.set(key, { ...image, references: distinct(references) });
  }
  return [...found.values()];
}

interface EntryContext {
  readonly wanted: Platform | undefined;
  readonly names: ReadonlyMap<Digest, readonly Reference[]>;
  readonly depth: number;
}

function readEntry(files: ArchiveFiles, entry: Descriptor, context: EntryContext): ArchivedImage[] {
  if (isIndexType(entry.mediaType)) {
    if (context.depth >= maxNesting) {
      throw new Fault(
        "invalid",
        `index ${entry.digest} is nested deeper than ${maxNesting} levels`,
      );
    }
    const nested = parseIndex(blobDocument(files, entry), `index ${entry.digest}`);
    const chosen = selectManifest(onlyPresent(files, nested), context.wanted);
    const named = { ...chosen, annotations: { ...chosen.annotations, ...entry.annotations } };
    return readEntry(files, named, { ...context, depth: context.depth + 1 });
  }
  if (/^application\/vnd\.docker\.distribution\.manifest\.v1\b/.test(entry.mediaType)) {
    throw new Fault(
      "unsupported",
      `manifest ${entry.digest} is in Docker's first format (schema 1), which is no longer supported; save the image anew with a current tool`,
    );
  }
  if (!isManifestType(entry.mediaType)) return [];
  const manifestBytes = blobDocument(files, entry);
  const manifest = parseManifest(manifestBytes, `manifest ${entry.digest}`);
  // Other artifacts (signatures, charts, attestations) may lie in a layout too.
  if (!isConfigType(manifest.config.mediaType)) return [];
  if (!manifest.layers.every(({ mediaType }) => isLayerType(mediaType))) return [];
  const configBytes = blobDocument(files, manifest.config);
  if (!isMeant(configBytes, context.wanted)) return [];
  const annotated = annotatedNames(entry);
  // Beside a whole name those of manifest.json may belong to another manifest of the same image.
  const references =
    annotated.length > 0 ? annotated : (context.names.get(manifest.config.digest) ?? []);
  return [
    {
      manifest,
      manifestBytes,
      references: distinct(references),
      files: [manifest.config, ...manifest.layers].map((each) => blobFile(files, each)),
    },
  ];
}

/** `docker save --platform` and skopeo leave out the manifests that were not asked for. */
function onlyPresent(files: ArchiveFiles, index: Index): Index {
  const present = index.manifests.filter(({ digest }) => files.has(blobName(digest)));
  return { ...index, manifests: present.length > 0 ? present : index.manifests };
}

/** Where containerd and Docker write the whole name, other tools write it or just a tag. */
function annotatedNames({ annotations }: Descriptor): Reference[] {
  const full = annotations?.["io.containerd.image.name"];
  const short = annotations?.["org.opencontainers.image.ref.name"];
  const name = full ?? (short && /[/:]/.test(short) ? short : undefined);
  return name === undefined ? [] : [withDefaultTag(parseReference(name))];
}

interface DockerEntry {
  readonly config: string;
  readonly layers: readonly string[];
  readonly tags: readonly Reference[];
}

function dockerEntries(files: ArchiveFiles): DockerEntry[] {
  const root = parseJson("manifest.json", files.document("manifest.json"));
  return root.list(maxImages, (entry) => ({
    config: entry.at("Config").string(4096),
    layers: entry.at("Layers").optional((c) => c.list(500, (each) => each.string(4096))) ?? [],
    tags:
      entry
        .at("RepoTags")
        .optional((c) =>
          c.list(1000, (each) => each.as((text) => withDefaultTag(parseReference(text)))),
        ) ?? [],
  }));
}

/** Names by the digest of the configuration, for layouts whose annotations tell only a part. */
function dockerNames(files: ArchiveFiles): ReadonlyMap<Digest, readonly Reference[]> {
  if (!files.has("manifest.json")) return new Map();
  return new Map(
    dockerEntries(files)
      .filter(({ config }) => files.has(config))
      .map(({ config, tags }) => [files.get(config).digest, tags]),
  );
}

function readDockerArchive(files: ArchiveFiles, wanted: Platform | undefined): ArchivedImage[] {
  return dockerEntries(files)
    .filter(({ config }) => isMeant(files.document(config), wanted))
    .map((entry) => {
      const config = files.get(entry.config);
      const named = /(?:^|\/)([0-9a-f]{64}|[0-9a-f]{128})(?:\.json)?$/.exec(entry.config)?.[1];
      if (named !== undefined) {
        const promised = `sha${named.length * 4}:${named}` as Digest;
        const actual = digestLike(promised, files.document(entry.config));
        requireDigest(`the image configuration ${entry.config}`, promised, actual);
      }
      const layers = entry.layers.map((path) => files.get(path));
      const manifest: Manifest = {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
        layers: layers.map((layer) => ({
          mediaType: layer.mediaType,
          digest: layer.digest,
          size: layer.size,
        })),
      };
      return {
        manifest,
        manifestBytes: encodeDocument(manifest),
        references: distinct(entry.tags),
        files: [config, ...layers],
      };
    });
}

function blobName(digest: Digest): string {
  return `blobs/${digestPath(digest)}`;
}

function blobFile(files: ArchiveFiles, { digest, size, mediaType }: Descriptor): ArchiveFile {
  const file = files.get(blobName(digest));
  requireDigest(`the archive's blob ${blobName(digest)}`, digest, file.digest);
  if (file.size !== size) {
    throw new Fault(
      "data_loss",
      `blob ${digest} has ${file.size} bytes where ${size} are declared`,
    );
  }
  return { ...file, mediaType };
}

function blobDocument(files: ArchiveFiles, descriptor: Descriptor): Buffer {
  blobFile(files, descriptor);
  const bytes = files.document(blobName(descriptor.digest));
  requireDigest(
    `blob ${descriptor.digest}`,
    descriptor.digest,
    digestLike(descriptor.digest, bytes),
  );
  return bytes;
}

/** Whether it is for the platform; an image for another operating system could not even be looked into. */
function isMeant(configBytes: Buffer, wanted: Platform | undefined): boolean {
  const config = parseImageConfig(configBytes);
  if (config.os !== "linux") {
    throw new Fault("unsupported", `the image is for ${config.os}; only linux images can be used`);
  }
  return !wanted || config.architecture === "" || platformDistance(wanted, config) !== undefined;
}

function distinct(references: readonly Reference[]): Reference[] {
  return [
    ...new Map(
      references.map((each) => [JSON.stringify([each.domain, each.path, each.tag]), each]),
    ).values(),
  ];
}
