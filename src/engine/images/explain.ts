import type { Parts } from "../parts.ts";
import type {
  ExplainRequest,
  ImageAnalysis,
  ImageExplanation,
  ImagePathExplanation,
} from "./explain-contract.ts";
import {
  analysed,
  directoriesOf,
  findLayer,
  holdImage,
  layerHistory,
  weightOf,
} from "./explain-subject.ts";
import { compareImages } from "./image-diff.ts";
import { mountLayers } from "./image-mount.ts";
import { squashImage } from "./squash.ts";

/** The analysis of images over their unpacked layers, which a lease holds meanwhile. */
export function createAnalysis(
  parts: Parts<"paths" | "snapshots" | "content" | "events">,
): ImageAnalysis {
  return {
    explain: (ref, options, signal) => explain(parts, ref, options, signal),
    explainPath: (ref, path, signal) => explainPath(parts, ref, path, signal),
    sbom: (ref) => sbom(parts, ref),
    compare: (from, to, options, signal) =>
      compareImages(parts, { from, to, limit: options.limit }, signal),
    squash: (ref, options, report, signal) =>
      squashImage(parts, { ref, ...options }, report, signal),
  };
}

async function explain(
  parts: Parts<"snapshots" | "content">,
  ref: string,
  { top, depth, layer }: ExplainRequest,
  signal: AbortSignal,
): Promise<ImageExplanation> {
  await using lease = parts.content.lease();
  const image = holdImage(parts, lease, ref);
  const number = layer === undefined ? undefined : findLayer(image, layer);
  const { explainLayers } = await import("#explain");
  const layers = directoriesOf(parts, image);
  const found = await explainLayers({ layers, top, depth, layer: number }, signal);
  const createdBy = layerHistory(image);
  return {
    image: analysed(image),
    compressed: weightOf(image).compressed,
    ...found,
    layers: found.layers.flatMap((each, index) => {
      const stored = image.layers[index];
      if (!stored) return [];
      const { diffId, blob } = stored;
      const { digest, size: compressed } = blob;
      return [{ ...each, diffId, digest, compressed, createdBy: createdBy[index] ?? "" }];
    }),
  };
}

async function sbom(parts: Parts<"paths" | "snapshots" | "content">, ref: string): Promise<object> {
  await using lease = parts.content.lease();
  const { id, tags, chainId } = holdImage(parts, lease, ref);
  const layers = chainId === undefined ? [] : parts.snapshots.layers(chainId);
  const { billOfMaterials } = await import("#build");
  await using mounted = await mountLayers(parts, layers);
  // An image with several names is called what it was asked for by.
  const asked = tags.find((tag) => tag === ref || tag === `${ref}:latest`);
  return await billOfMaterials(mounted, asked ?? tags[0] ?? id);
}

async function explainPath(
  parts: Parts<"snapshots" | "content">,
  ref: string,
  path: string,
  signal: AbortSignal,
): Promise<ImagePathExplanation> {
  await using lease = parts.content.lease();
  const image = holdImage(parts, lease, ref);
  const { explainLayerPath } = await import("#explain");
  const found = await explainLayerPath({ layers: directoriesOf(parts, image), path }, signal);
  const createdBy = layerHistory(image);
  return {
    image: analysed(image),
    ...found,
    steps: found.steps.flatMap((step) => {
      const stored = image.layers[step.layer - 1];
      if (!stored) return [];
      return [{ ...step, diffId: stored.diffId, createdBy: createdBy[step.layer - 1] ?? "" }];
    }),
  };
}
