import {
  type AttestationOptions,
  type BuildEvent,
  type Builder,
  type BuildOutcome,
  type CacheExport,
  type CacheRepository,
  type CacheWriter,
  type CredentialLookup,
  type Engine,
  hasAttestations,
  type OutputRequest,
  readAnnotations,
} from "#engine";
import { familiarString, type Reference, sha256 } from "#image";
import type { BuildCache, BuildResult } from "#wire";

/** An output of a build, and the names that its image gets. */
export interface NamedOutput extends OutputRequest {
  readonly names: readonly Reference[];
}

/** A build that is done, with what is wanted of it. */
export interface FinishedBuild {
  readonly builder: Builder;
  readonly outcome: BuildOutcome;
  readonly outputs: readonly NamedOutput[];
  readonly attestations: AttestationOptions;
  readonly push: {
    readonly images: Engine["images"];
    readonly credentials: CredentialLookup;
  };
  readonly caches: {
    readonly cacheTo: readonly CacheExport[];
    readonly registry: (cache: CacheRepository) => CacheWriter;
  };
  readonly report: (event: BuildEvent) => void;
  readonly signal: AbortSignal;
}

type Made = Pick<BuildResult, "image" | "descriptor">;
type Stream = () => AsyncGenerator<Uint8Array, void>;

/** Keeps and pushes images, and has ready what the client will fetch; takes the outcome over. */
export async function makeOutputs(build: FinishedBuild): Promise<BuildResult> {
  const { builder, outcome, outputs } = build;
  const streams = new Map<number, Stream>();
  await using held = new AsyncDisposableStack();
  held.use(outcome);
  let made: Made = {};
  for (const [index, output] of outputs.entries()) {
    const { type } = output;
    if (type === "image") made = { ...made, ...(await keepImage(build, output)) };
    else if (type === "oci" || type === "docker") {
      const { stream, ...about } = await packImage(build, output);
      streams.set(index, stream);
      made = { ...about, ...made };
    } else if (type !== "cacheonly") streams.set(index, () => packFiles(build, output));
  }
  const caches = await writeCaches(build);
  if (streams.size === 0) return { kind: "result", ...made, exports: [], caches };
  // The last output that is fetched lets go of the layers.
  const rest = held.move();
  let left = streams.size;
  const exports = [...streams].map(([output, stream]) => {
    const release = async () => {
      left -= 1;
      if (left === 0) await rest.disposeAsync();
    };
    return { output, id: builder.exports.add({ stream, [Symbol.asyncDispose]: release }) };
  });
  return { kind: "result", ...made, exports, caches };
}

/** Writes the caches in registries, and keeps those that are for the client. */
async function writeCaches(build: FinishedBuild): Promise<readonly BuildCache[]> {
  const { builder, outcome, caches, report, signal } = build;
  const waiting: BuildCache[] = [];
  for (const [index, cache] of caches.cacheTo.entries()) {
    if (cache.kind === "inline") continue;
    const request = { content: cache, report, signal };
    try {
      if (cache.kind === "local") {
        const archive = await builder.archiveCache(outcome, request);
        const { manifest } = archive;
        waiting.push({ cache: index, id: builder.exports.add(archive), manifest });
      } else {
        const writer = caches.registry(cache);
        await builder.exportCache(outcome, { ...request, writer });
      }
    } catch (error) {
      if (signal.aborted || !cache.ignoresErrors) throw error;
    }
  }
  return waiting;
}

/** An image of the engine, and of the registries in its names where it is pushed. */
async function keepImage(build: FinishedBuild, output: NamedOutput): Promise<Made> {
  const { builder, outcome, report, signal, push, attestations } = build;
  const { attributes, names } = output;
  const annotations = readAnnotations(attributes);
  const isOne = outcome.images.length === 1;
  const image = isOne
    ? await builder.keep(outcome, { tags: names, annotations, report, signal })
    : undefined;
  const made = image && {
    image: image.id,
    descriptor: {
      mediaType: image.manifest.mediaType,
      digest: image.digest,
      size: image.manifestSize,
    },
  };
  if (attributes.get("push") !== "true") return made ?? {};
  if (isOne && !hasAttestations(attestations)) {
    for (const name of names) {
      const reference = familiarString(name);
      const request = { reference, credentials: push.credentials };
      await shown(report, `pushing ${reference}`, () =>
        push.images.push(request, () => undefined, signal),
      );
    }
    return made ?? {};
  }
  const artifact = await builder.artifact(outcome, {
    ...{ form: "registry", names, annotations, attestations },
  });
  for (const reference of names) {
    const request = { artifact, reference, credentials: push.credentials };
    await shown(report, `pushing ${familiarString(reference)}`, () =>
      push.images.pushArtifact(request, signal),
    );
  }
  const { mediaType, digest, size } = artifact.root;
  return { ...made, descriptor: { mediaType, digest, size } };
}

async function packImage(
  { builder, outcome, attestations }: FinishedBuild,
  { attributes, names }: NamedOutput,
): Promise<Made & { readonly stream: Stream }> {
  const annotations = readAnnotations(attributes);
  const artifact = await builder.artifact(outcome, {
    ...{ form: "archive", names, annotations, attestations },
  });
  const { root, images } = artifact;
  const { mediaType, digest, size } = root;
  const [image] = images;
  return {
    ...(images.length === 1 && image && { image: image.id }),
    descriptor: { mediaType, digest, size },
    stream: () => builder.archive(artifact, names),
  };
}

async function* packFiles(
  { builder, outcome, attestations }: FinishedBuild,
  { attributes }: NamedOutput,
): AsyncGenerator<Uint8Array, void> {
  const attestationPrefix = attributes.get("attestation-prefix") ?? "";
  await using files = await builder.files(outcome, { attestations, attestationPrefix });
  yield* builder.tar(files);
}

/** Work that is shown as a step. */
async function shown(
  report: FinishedBuild["report"],
  name: string,
  work: () => Promise<void>,
): Promise<void> {
  const vertex = { kind: "vertex", digest: sha256(name), name, inputs: [] } as const;
  const now = () => BigInt(Date.now()) * 1_000_000n;
  const started = now();
  report({ ...vertex, started });
  await work();
  report({ ...vertex, started, completed: now() });
}
