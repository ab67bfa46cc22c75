import { attestationManifest } from "#attest";
import { defined } from "#base";
import type { Artifact, HeldImage } from "#content";
import { type Descriptor, encodeDocument, mediaTypes, type Reference, sha256 } from "#image";
import { type Annotation, annotationsAt } from "./annotations.ts";
import {
  type AttestationOptions,
  hasAttestations,
  imageStatements,
  predicatesOf,
} from "./attestations.ts";
import type { CarrierParts } from "./carrier.ts";
import type { BuildOutcome, BuiltImage } from "./contract.ts";
import { mountImage } from "./result-files.ts";

/** How the images of a result become an artifact. */
export interface ArtifactOptions {
  /** What it is for: archives have layers that older readers know. */
  readonly form: "archive" | "registry";
  readonly names: readonly Reference[];
  readonly annotations: readonly Annotation[];
  readonly attestations: AttestationOptions;
}

type ArtifactParts = Pick<CarrierParts, "content" | "snapshots" | "mount">;

/**
 * The images of a result, with what is said about them, as blobs that the lease of the result holds:
 * one manifest, or an index where there are several images or attestations.
 */
export async function composeArtifact(
  parts: ArtifactParts,
  outcome: BuildOutcome,
  options: ArtifactOptions,
): Promise<Artifact> {
  const { annotations, attestations } = options;
  const made: { readonly image: HeldImage; readonly entry: Descriptor; built: BuiltImage }[] = [];
  for (const built of outcome.images) made.push(await holdOne(parts, outcome, { built, options }));
  const images = made.map(({ image }) => image);
  const [first] = made;
  const isIndex = made.length > 1 || hasAttestations(attestations);
  if (!isIndex && first) {
    return { root: first.entry, manifests: [manifestOf(first)], images };
  }
  const manifests: Artifact["manifests"][number][] = made.map(manifestOf);
  for (const each of hasAttestations(attestations) ? made : []) {
    manifests.push(await attest(parts, outcome, { ...each, options }));
  }
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: manifests.map(({ descriptor }) => descriptor),
    ...defined({ annotations: annotationsAt(annotations, "index") }),
  };
  const root = await holdBytes(parts, outcome, {
    ...{ bytes: encodeDocument(index), mediaType: mediaTypes.index },
    annotations: annotationsAt(annotations, "index-descriptor"),
  });
  return { root, manifests, images };
}

async function holdOne(
  { content }: ArtifactParts,
  { lease }: BuildOutcome,
  { built, options }: { readonly built: BuiltImage; readonly options: ArtifactOptions },
) {
  const { platform, layers, config } = built;
  const { annotations, form } = options;
  const image = await content.holdImage({
    ...{ layers, config, lease, form },
    annotations: annotationsAt(annotations, "manifest", platform),
  });
  const entry: Descriptor = {
    ...{ mediaType: image.manifest.mediaType, digest: image.digest, size: image.manifestSize },
    platform,
    ...defined({ annotations: annotationsAt(annotations, "manifest-descriptor", platform) }),
  };
  return { image, entry, built };
}

function manifestOf({ image, entry }: { image: HeldImage; entry: Descriptor }) {
  const { config, layers } = image.manifest;
  return { descriptor: entry, blobs: [...layers, config] };
}

async function attest(
  parts: ArtifactParts,
  outcome: BuildOutcome,
  work: {
    readonly built: BuiltImage;
    readonly image: HeldImage;
    readonly options: ArtifactOptions;
  },
): Promise<Artifact["manifests"][number]> {
  const { built, image, options } = work;
  await using mounted = await mountImage(parts, built);
  const predicates = await predicatesOf(built, mounted, options.attestations);
  const { digest } = image;
  const about = { platform: built.platform, digest, names: options.names };
  const { manifest, blobs } = attestationManifest(imageStatements(predicates, about), digest);
  for (const { bytes, descriptor } of [...blobs, manifest]) {
    await holdBytes(parts, outcome, { bytes, mediaType: descriptor.mediaType });
  }
  return {
    descriptor: manifest.descriptor,
    blobs: blobs.map(({ descriptor }) => descriptor),
  };
}

async function holdBytes(
  { content }: ArtifactParts,
  { lease }: BuildOutcome,
  document: {
    readonly bytes: Uint8Array;
    readonly mediaType: string;
    readonly annotations?: Descriptor["annotations"] | undefined;
  },
): Promise<Descriptor> {
  const { bytes, mediaType, annotations } = document;
  const digest = sha256(bytes);
  lease.holdBlob(digest);
  await content.ingest(oneChunk(bytes), { digest });
  return { mediaType, digest, size: bytes.length, ...defined({ annotations }) };
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}
