import { Fault } from "#base";
import {
  type AttestationOptions,
  type Builder,
  type BuildOutcome,
  type BuiltImage,
  type CacheRepository,
  type Engine,
  hasAttestations,
  readAnnotations,
} from "#engine";
import {
  canonicalString,
  type Descriptor,
  encodeDocument,
  parseReference,
  type Reference,
  withDefaultTag,
} from "#image";
import { internalStep } from "../build/internal-step.ts";
import type {
  BuildClient,
  CacheRequest,
  ExportRequest,
  LeasedDirectory,
  PlacedCache,
  Solution,
} from "../build/solver.ts";
import { credentialsOf } from "./client-credentials.ts";

interface SolutionParts {
  readonly engine: Engine;
  readonly builder: Builder;
  readonly outcome: BuildOutcome;
  readonly attestations: AttestationOptions;
}

type Told = Readonly<Record<string, string>>;

/** What the engine made of a build: held, but no image of the engine unless an output is one. */
export class EngineSolution implements Solution {
  readonly #engine: Engine;
  readonly #builder: Builder;
  readonly #outcome: BuildOutcome;
  readonly #attestations: AttestationOptions;

  constructor({ engine, builder, outcome, attestations }: SolutionParts) {
    this.#engine = engine;
    this.#builder = builder;
    this.#outcome = outcome;
    this.#attestations = attestations;
  }

  get images(): Solution["images"] {
    return this.#outcome.images.map(({ platform, config }) => ({
      platform,
      config: encodeDocument(config),
    }));
  }

  /** By its place among the images. */
  image(place: number): BuiltImage {
    const image = this.#outcome.images[place];
    if (image) return image;
    throw new Fault("not_found", `the build has no image ${place}`);
  }

  async export(request: ExportRequest): Promise<Told> {
    const { type } = request;
    switch (type) {
      case "moby":
      case "image":
        return await this.#exportImage(request);
      case "docker":
      case "oci":
        return await this.#exportArchive(request);
      case "tar":
      case "local":
        await this.#exportFiles(request);
        return {};
      case "cacheonly":
        return {};
      default:
        throw new Fault("unsupported", `the output ${type} is not supported`, { about: type });
    }
  }

  async exportCache(
    cache: PlacedCache,
    { client, report, signal }: CacheRequest,
  ): Promise<Descriptor> {
    const writer =
      cache.kind === "local"
        ? client.cache(cache.destination)
        : await this.#registry(cache, client);
    const request = { content: cache, writer, report, signal };
    return await this.#builder.exportCache(this.#outcome, request);
  }

  async #registry(cache: CacheRepository, client: BuildClient) {
    const credentials = await credentialsOf(client, [cache.name]);
    return this.#engine.builds.registryCache(cache, credentials);
  }

  async open(place: number, network: string | undefined) {
    return await this.#builder.open(this.image(place), { network });
  }

  async directory(place: number): Promise<LeasedDirectory> {
    const mounted = await this.#builder.root(this.image(place));
    return {
      directory: mounted.path,
      [Symbol.asyncDispose]: () => mounted[Symbol.asyncDispose](),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#outcome[Symbol.asyncDispose]();
  }

  /** An index goes to registries alone; what it has for one platform is an image of the engine all the same. */
  async #exportImage(request: ExportRequest): Promise<Told> {
    const { attributes, report, signal } = request;
    const names = namesIn(attributes.get("name"));
    const annotations = readAnnotations(attributes);
    const isOne = this.#outcome.images.length === 1;
    const isPushed = attributes.get("push") === "true";
    if (isPushed && names.length === 0)
      throw new Fault("invalid", "tag is needed when pushing to registry");
    const keeping = { tags: names, annotations, report, signal };
    const image = isOne ? await this.#builder.keep(this.#outcome, keeping) : undefined;
    const told: Record<string, string> = {
      ...(image && {
        "containerimage.config.digest": image.id,
        "containerimage.digest": image.digest,
      }),
      ...(names.length > 0 && { "image.name": names.map(canonicalString).join(",") }),
    };
    if (!isPushed) return told;
    if (isOne && !hasAttestations(this.#attestations)) {
      for (const name of names) await this.#pushImage(name, request);
      return told;
    }
    return { ...told, "containerimage.digest": await this.#pushArtifact(names, request) };
  }

  async #pushImage(name: Reference, { client, report, signal }: ExportRequest): Promise<void> {
    const reference = canonicalString(name);
    const credentials = await credentialsOf(client, [reference]);
    await internalStep(report, `pushing ${reference}`, async () => {
      await this.#engine.images.push({ reference, credentials }, () => undefined, signal);
    });
  }

  /** Gives the digest of what the names lead to. */
  async #pushArtifact(names: readonly Reference[], request: ExportRequest): Promise<string> {
    const { client, report, signal } = request;
    const artifact = await this.#artifact(names, request, "registry");
    for (const reference of names) {
      const name = canonicalString(reference);
      const credentials = await credentialsOf(client, [name]);
      await internalStep(report, `pushing ${name}`, async () => {
        await this.#engine.images.pushArtifact({ artifact, reference, credentials }, signal);
      });
    }
    return artifact.root.digest;
  }

  async #exportArchive(request: ExportRequest): Promise<Told> {
    const { type, attributes, client, output, report } = request;
    if (attributes.get("tar") === "false")
      throw new Fault("unsupported", `the output ${type} as a directory is not supported`);
    const names = namesIn(attributes.get("name"));
    return await internalStep(report, `exporting to ${type} image format`, async () => {
      const artifact = await this.#artifact(names, request, "archive");
      await client.sendFile(output, this.#builder.archive(artifact, names));
      const [image] = artifact.images;
      return {
        ...(artifact.images.length === 1 && image && { "containerimage.config.digest": image.id }),
        "containerimage.digest": artifact.root.digest,
      };
    });
  }

  async #artifact(
    names: readonly Reference[],
    { attributes }: ExportRequest,
    form: "archive" | "registry",
  ) {
    const [annotations, attestations] = [readAnnotations(attributes), this.#attestations];
    return await this.#builder.artifact(this.#outcome, { form, names, annotations, attestations });
  }

  async #exportFiles({ type, attributes, client, output, report }: ExportRequest): Promise<void> {
    const what = type === "tar" ? "client tarball" : "client directory";
    await internalStep(report, `exporting to ${what}`, async () => {
      await using files = await this.#builder.files(this.#outcome, {
        attestations: this.#attestations,
        attestationPrefix: attributes.get("attestation-prefix") ?? "",
      });
      if (type === "tar") await client.sendFile(output, this.#builder.tar(files));
      else await client.sendDirectory(output, files.path);
    });
  }
}

/** The names in an output's attribute: with commas between them. */
function namesIn(names = ""): Reference[] {
  return names
    .split(",")
    .filter(Boolean)
    .map((name) => withDefaultTag(parseReference(name)));
}
