import { randomBytes } from "node:crypto";
import { Fault, isFault } from "#base";
import type { BuildOutcome, Engine } from "#engine";
import {
  canonicalString,
  encodeDocument,
  familiarString,
  hostPlatform,
  parseReference,
  type Reference,
  withDefaultTag,
} from "#image";
import { internalStep } from "../build/internal-step.ts";
import type { ExportRequest, LeasedDirectory, Solution } from "../build/solver.ts";
import { credentialsOf } from "./client-credentials.ts";

/** No registry has this name (RFC 6761). */
const ownDomain = "thimble.invalid";

/** What the engine made of a build: an image, which goes again unless it is an output. */
export class EngineSolution implements Solution {
  readonly #engine: Engine;
  readonly #outcome: BuildOutcome;
  readonly #tags: readonly Reference[];
  readonly #isKept: boolean;

  constructor(
    engine: Engine,
    outcome: BuildOutcome,
    { tags, isKept }: { readonly tags: readonly Reference[]; readonly isKept: boolean },
  ) {
    this.#engine = engine;
    this.#outcome = outcome;
    this.#tags = tags;
    this.#isKept = isKept;
  }

  get images(): Solution["images"] {
    const { config } = this.#outcome;
    const { os, architecture, variant } = config;
    const platform = { os, architecture, ...(variant && { variant }) };
    return [{ platform: architecture ? platform : hostPlatform(), config: encodeDocument(config) }];
  }

  async export(request: ExportRequest): Promise<Readonly<Record<string, string>>> {
    const { type, attributes, client, output, report, signal } = request;
    const { images } = this.#engine;
    switch (type) {
      case "moby":
      case "image":
        if (attributes.get("push") === "true") await this.#push(request);
        return { ...this.#digests(), ...this.#names() };
      case "docker":
      case "oci": {
        if (attributes.get("tar") === "false")
          throw new Fault("unsupported", `the output ${type} as a directory is not supported`);
        const tags = namesIn(attributes.get("name")).map(familiarString);
        await internalStep(report, `exporting to ${type} image format`, async () => {
          await client.sendFile(output, images.save([this.#id], { tags }));
        });
        return this.#digests();
      }
      case "tar":
        await internalStep(report, "exporting to client tarball", async () => {
          const whole = { path: "/", follow: true, signal };
          await using files = await images.archive(this.#id, whole);
          await client.sendFile(output, files.tar);
        });
        return {};
      case "local":
        await internalStep(report, "exporting to client directory", async () => {
          await using files = await images.files(this.#id);
          await client.sendDirectory(output, files.directory);
        });
        return {};
      case "cacheonly":
        return {};
      default:
        throw new Fault("unsupported", `the output ${type} is not supported`, { about: type });
    }
  }

  async asImage(): Promise<AsyncDisposable & { readonly reference: string }> {
    const { images } = this.#engine;
    const reference = `${ownDomain}/result:${randomBytes(12).toString("hex")}`;
    await images.tag(this.#id, reference);
    const remove = () => images.remove(reference, { force: false, prune: false });
    return { reference, [Symbol.asyncDispose]: async () => void (await remove()) };
  }

  async directory(): Promise<LeasedDirectory> {
    return await this.#engine.images.files(this.#id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#outcome[Symbol.asyncDispose]();
    if (!this.#isKept) await this.#forget();
  }

  get #id(): string {
    const { image } = this.#outcome;
    if (image) return image.id;
    throw new Fault("internal", "the build made no image");
  }

  #digests(): Record<string, string> {
    const { image } = this.#outcome;
    if (!image) return {};
    return { "containerimage.config.digest": image.id, "containerimage.digest": image.digest };
  }

  #names(): Record<string, string> {
    const names = this.#tags.map(canonicalString).join(",");
    return names === "" ? {} : { "image.name": names };
  }

  async #push({ client, report, signal }: ExportRequest): Promise<void> {
    if (this.#tags.length === 0)
      throw new Fault("invalid", "tag is needed when pushing to registry");
    for (const tag of this.#tags) {
      const reference = canonicalString(tag);
      const credentials = await credentialsOf(client, [reference]);
      await internalStep(report, `pushing ${reference}`, async () => {
        await this.#engine.images.push({ reference, credentials }, () => undefined, signal);
      });
    }
  }

  /** The image stays when it has a name by now, or a container. */
  async #forget(): Promise<void> {
    const { images } = this.#engine;
    try {
      const { tags, containers } = await images.get(this.#id);
      if (tags.length === 0 && containers === 0)
        await images.remove(this.#id, { force: false, prune: true });
    } catch (error) {
      if (!isFault(error, "not_found") && !isFault(error, "conflict")) throw error;
    }
  }
}

/** The names in an output's attribute: with commas between them. */
export function namesIn(names = ""): Reference[] {
  return names
    .split(",")
    .filter(Boolean)
    .map((name) => withDefaultTag(parseReference(name)));
}
