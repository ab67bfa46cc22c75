import { Fault } from "#base";
import type { Lease, StoredImage } from "#content";
import { digestHex } from "#image";
import type { Parts } from "../parts.ts";
import type { AnalysedImage, ImageWeight } from "./explain-contract.ts";

/** An image whose layers stay until the lease is released, even if the image is removed. */
export function holdImage({ content }: Parts<"content">, lease: Lease, ref: string): StoredImage {
  const image = content.resolve(ref);
  for (const { chainId, blob } of image.layers) {
    lease.holdLayer(chainId);
    lease.holdBlob(blob.digest);
  }
  return image;
}

/** The directories of its layers, lowest first. */
export function directoriesOf(
  { snapshots }: Parts<"snapshots">,
  { layers }: StoredImage,
): string[] {
  return layers.map(({ chainId }) => snapshots.directory(chainId));
}

/** The part of an image that names it in answers. */
export function analysed({ id, digest, tags }: StoredImage): AnalysedImage {
  return { id, digest, tags };
}

/**
 * The step that made each layer, lowest first; the history may tell of fewer layers than there are.
 */
export function layerHistory({ config }: StoredImage): string[] {
  return (config.history ?? [])
    .filter(({ empty_layer }) => empty_layer !== true)
    .map(({ created_by, comment }) => created_by || comment || "");
}

/** The number, from 1, of a layer that is named by it, or by the beginning of its diff id or of its blob's digest. */
export function findLayer({ layers, tags, id }: StoredImage, text: string): number {
  const shown = tags[0] ?? id;
  if (/^\d{1,3}$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= layers.length) return number;
    throw new Fault("not_found", `${shown} has no layer ${text}: it has ${layers.length} layers`, {
      about: text,
    });
  }
  const hex = /^(?:sha(?:256|512):)?([0-9a-f]{4,128})$/.exec(text)?.[1];
  const found = layers.flatMap(({ diffId, blob }, index) =>
    hex && (digestHex(diffId).startsWith(hex) || digestHex(blob.digest).startsWith(hex))
      ? [index + 1]
      : [],
  );
  const [number, second] = found;
  if (number !== undefined && second === undefined) return number;
  throw number === undefined
    ? new Fault("not_found", `${shown} has no layer "${text}": give its number or its digest`, {
        about: text,
      })
    : new Fault("invalid", `"${text}" is the beginning of several layers of ${shown}`, {
        about: text,
      });
}

/** Sums over the layers of an image. */
export function weightOf({ layers }: StoredImage): ImageWeight {
  return {
    layers: layers.length,
    bytes: layers.reduce((sum, { size }) => sum + size, 0),
    compressed: layers.reduce((sum, { blob }) => sum + blob.size, 0),
  };
}
