import { inParallel } from "#base";
import { canonicalName, type Descriptor, familiarName, familiarString } from "#image";
import type { Repository } from "#registry-client";
import type { Parts } from "../parts.ts";
import { mountSources } from "./push.ts";
import { credentialSource } from "./registries.ts";
import type { ArtifactPush } from "./registry-contract.ts";

/**
 * Sends an artifact to the registry in a name: blobs first, then the manifests that name them, and
 * last what the tag leads to. The caller holds all of it.
 */
export async function pushArtifact(
  parts: Parts<"content" | "registry" | "events" | "settings">,
  { artifact, reference, credentials }: ArtifactPush,
  signal: AbortSignal,
): Promise<void> {
  const { root, manifests, images } = artifact;
  const client = await parts.registry(credentialSource(reference.domain, credentials));
  const repository = client.repository(reference);
  const run = { parts, repository, reference, signal };
  for (const { descriptor, blobs } of manifests) {
    await pushBlobs(run, blobs);
    if (descriptor.digest === root.digest) continue;
    await putManifest(run, descriptor, descriptor.digest);
  }
  await putManifest(run, root, reference.tag ?? "latest");
  for (const { layers } of images)
    for (const { blob } of layers) parts.content.noteSource(blob.digest, canonicalName(reference));
  const [image] = images;
  const labels = image?.config.config?.Labels ?? {};
  const attributes = { ...labels, name: familiarName(reference) };
  parts.events.publish("image", "push", familiarString(reference), attributes);
}

interface ArtifactRun {
  readonly parts: Parts<"content" | "settings">;
  readonly repository: Repository;
  readonly reference: ArtifactPush["reference"];
  readonly signal: AbortSignal;
}

async function pushBlobs(run: ArtifactRun, blobs: readonly Descriptor[]): Promise<void> {
  const { parts, repository, reference } = run;
  const { content, settings } = parts;
  const once = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
  await inParallel(once, settings.current.maxUploads, async (blob, failed) => {
    const signal = AbortSignal.any([run.signal, failed]);
    const source = (offset: number) => content.read(blob.digest, { offset });
    const mountFrom = mountSources(content, blob, reference);
    await repository.putBlob(blob, source, { mountFrom, signal });
  });
}

async function putManifest(
  { parts, repository, signal }: ArtifactRun,
  { digest, mediaType }: Descriptor,
  name: string,
): Promise<void> {
  const bytes = parts.content.readManifest(digest);
  await repository.putManifest(name, bytes, mediaType, { signal });
}
