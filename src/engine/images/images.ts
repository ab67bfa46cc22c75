import { defined } from "#base";
import type { ListedImage, RemoveOptions, StoredImage } from "#content";
import {
  type Digest,
  familiarString,
  type Platform,
  parsePlatform,
  parseReference,
  withDefaultTag,
} from "#image";
import { parseCompression } from "#layer";
import type { Executor } from "#rootfs";
import { usesImage } from "../containers/container-images.ts";
import { goesOn } from "../containers/container-record.ts";
import type { Parts } from "../parts.ts";
import type { ImageDetail, ImageSummary, Images, Progress } from "./image-contract.ts";
import { imageHistory } from "./image-history.ts";
import { listImages, pruneImages } from "./image-list.ts";
import { makeImage } from "./make-image.ts";

type ImageParts = Parts<
  | "paths"
  | "clock"
  | "content"
  | "snapshots"
  | "registry"
  | "trust"
  | "store"
  | "events"
  | "settings"
>;

/** The verbs of images: content with events, and with the containers that use it. */
export function createImages(parts: ImageParts, executor: Executor): Images {
  return {
    list: async (options) => {
      const counts = countUsers(parts);
      return listImages(parts, options.filters).map((image) => summarize(parts, image, counts));
    },
    get: async (ref) => detail(parts, parts.content.resolve(ref)),
    idOf: (ref) => parts.content.images.idOf(ref),
    savedNames: (ref) => {
      const tags = parts.content.images.tagsOf(ref);
      if (tags.length > 0) return tags;
      parts.content.resolve(ref);
      return [ref];
    },
    history: async (ref) => imageHistory(parts.content.resolve(ref)),
    tag: async (source, target) => {
      const image = parts.content.images.tag(source, target);
      publishImage(parts, "tag", image.id, familiarString(withDefaultTag(parseReference(target))));
    },
    pull: async (request, report, signal) => {
      const { pullImage } = await import("../transfer/pull.ts");
      await pullImage(parts, request, report, signal);
    },
    push: async (request, report, signal) => {
      const { pushImage } = await import("../transfer/push.ts");
      await pushImage(parts, request, report, signal);
    },
    pushArtifact: async (request, signal) => {
      const { pushArtifact } = await import("../transfer/push-artifact.ts");
      await pushArtifact(parts, request, signal);
    },
    remove: (ref, options) => removeImage(parts, ref, options),
    prune: (filters) => pruneImages(parts, filters, (id) => removeUnused(parts, id)),
    load: (archive, options, report) => loadImages(parts, archive, options, report),
    files: async (ref) => {
      const { imageFiles } = await import("./image-archive.ts");
      return await imageFiles(parts, ref);
    },
    save: (refs, { platform, compression, tags } = {}) => {
      const stream = parts.content.saveArchive(refs, {
        platform: platformOf(platform),
        compression: compression === undefined ? undefined : savedCompression(compression),
        tags,
      });
      for (const id of new Set(refs.map((ref) => parts.content.resolve(ref).id)))
        publishImage(parts, "save", id, id);
      return stream;
    },
    archive: async (ref, request) => {
      const { imageArchive } = await import("./image-archive.ts");
      return await imageArchive(parts, ref, request);
    },
    import: (archive, options, report) => importImage(parts, archive, options, report),
    make: async (request, report, signal) => {
      const image = await makeImage(parts, { request, executor, report, signal });
      publishImage(parts, "import", image.id, request.reference);
      return image.id;
    },
  };
}

function savedCompression(text: string) {
  return text === "keep" ? text : parseCompression(text);
}

/** Tells what happened to an image, with the attributes Docker's events have. */
function publishImage(
  parts: Parts<"content" | "events">,
  action: string,
  id: Digest,
  name: string,
): void {
  const labels = parts.content.findById(id)?.config.config?.Labels ?? {};
  parts.events.publish("image", action, id, { ...labels, name });
}

function countUsers(parts: Parts<"store">): ReadonlyMap<Digest, number> {
  const counts = new Map<Digest, number>();
  for (const { imageId } of parts.store.all()) {
    counts.set(imageId, (counts.get(imageId) ?? 0) + 1);
  }
  return counts;
}

function summarize(
  { content }: Parts<"content">,
  image: ListedImage,
  counts: ReadonlyMap<Digest, number>,
): ImageSummary {
  const { id, tags, digests, created, size, labels } = image;
  const parent = image.parent && content.images.has(image.parent) ? image.parent : undefined;
  const containers = counts.get(id) ?? 0;
  return { id, tags, digests, created, size, labels, containers, ...defined({ parent }) };
}

function detail(parts: Parts<"content" | "snapshots" | "store">, image: StoredImage): ImageDetail {
  return {
    ...summarize(parts, image, countUsers(parts)),
    config: image.config,
    descriptor: {
      mediaType: image.manifest.mediaType,
      digest: image.digest,
      size: image.manifestSize,
    },
    contentSize:
      image.manifestSize +
      image.manifest.config.size +
      image.manifest.layers.reduce((sum, { size }) => sum + size, 0),
    layerDirectories: image.chainId === undefined ? [] : parts.snapshots.layers(image.chainId),
    ...defined({ lastTagged: image.lastTagged }),
  };
}

async function removeImage(
  parts: Parts<"content" | "store" | "events">,
  ref: string,
  { force }: { readonly force: boolean },
): ReturnType<Images["remove"]> {
  const usersOf = (image: Digest) =>
    [...parts.store.all()]
      .filter((record) => usesImage(record, image))
      .map((record) => ({ id: record.id, running: goesOn(record.state) }));
  return await removeAnd(parts, ref, { force, usersOf });
}

/** With all of its names, however many; any container of it is a `conflict`. */
async function removeUnused(
  parts: Parts<"content" | "store" | "events">,
  id: Digest,
): ReturnType<Images["remove"]> {
  const usersOf = () =>
    [...parts.store.all()]
      .filter((record) => usesImage(record, id))
      .map((record) => ({ id: record.id, running: true }));
  return await removeAnd(parts, id, { force: true, usersOf });
}

async function removeAnd(
  parts: Parts<"content" | "events">,
  ref: string,
  options: RemoveOptions,
): ReturnType<Images["remove"]> {
  const { id } = parts.content.resolve(ref);
  const removals = await parts.content.images.remove(ref, options);
  for (const removal of removals) {
    if ("untagged" in removal) publishImage(parts, "untag", id, id);
    else if (removal.deleted === id) publishImage(parts, "delete", id, id);
  }
  return removals;
}

function platformOf(text: string | undefined): Platform | undefined {
  return text === undefined ? undefined : parsePlatform(text);
}

async function loadImages(
  parts: Parts<"content" | "events">,
  archive: AsyncIterable<Uint8Array>,
  { platform }: Parameters<Images["load"]>[1],
  report: (progress: Progress) => void,
): ReturnType<Images["load"]> {
  const loaded = await parts.content.loadArchive(archive, {
    platform: platformOf(platform),
    onProgress: (layer, current, total) =>
      report({ id: layer.slice(7, 19), status: "Loading layer", current, total }),
  });
  for (const { image } of loaded) publishImage(parts, "load", image.id, image.id);
  return loaded.flatMap(({ image: { id }, tags }) =>
    tags.length > 0 ? tags.map((tag) => ({ id, tag })) : [{ id }],
  );
}

async function importImage(
  parts: Parts<"content" | "events">,
  archive: AsyncIterable<Uint8Array>,
  options: Parameters<Images["import"]>[1],
  report: (progress: Progress) => void,
): Promise<Digest> {
  const reference =
    options.reference === undefined ? undefined : withDefaultTag(parseReference(options.reference));
  const { id } = await parts.content.importTree(archive, {
    changes: options.changes,
    ...defined({ reference, message: options.message }),
    ...(options.platform !== undefined && { platform: parsePlatform(options.platform) }),
    created: options.created,
    onProgress: (current) => report({ status: "Importing", current }),
  });
  publishImage(parts, "import", id, id);
  if (reference) publishImage(parts, "tag", id, familiarString(reference));
  return id;
}
