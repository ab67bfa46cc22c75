import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { defined, Fault, visibleText } from "#base";
import {
  canonicalName,
  type Descriptor,
  type Digest,
  Digester,
  digestAlgorithm,
  encodeDocument,
  mediaTypes,
  parseManifest,
  parseReference,
  type Reference,
  requireDigest,
  sha256,
  withDefaultTag,
} from "#image";
import type { Repository } from "#registry-client";
import type { RegistryContext } from "./registry-context.ts";

const emptyType = "application/vnd.oci.empty.v1+json";
const titleAnnotation = "org.opencontainers.image.title";

export interface AttachOptions {
  readonly image: string;
  /** "FILE" or "FILE:MEDIATYPE". */
  readonly files: readonly string[];
  readonly artifactType: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Attaches files to an image in its registry, as an artifact that refers to it (image-spec, "Guidelines for Artifact Usage"). */
export async function attachArtifact(
  context: RegistryContext,
  options: AttachOptions,
): Promise<number> {
  const { reference, repository, image } = await find(context, options.image);
  const layers: Descriptor[] = [];
  for (const text of options.files) layers.push(await putFile(repository, text));
  const config = { mediaType: emptyType, digest: sha256("{}"), size: 2 };
  await repository.putBlob(config, async function* (offset) {
    yield Buffer.from("{}").subarray(offset);
  });
  const { mediaType, digest, size } = image;
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: options.artifactType,
    config,
    layers,
    subject: { mediaType, digest, size },
    annotations: options.annotations,
  };
  const attached = await repository.attachReferrer(encodeDocument(manifest), mediaTypes.manifest);
  await context.out.write(`${canonicalName(reference)}@${attached}\n`);
  return 0;
}

export interface ListOptions {
  readonly image: string;
  readonly artifactType?: string | undefined;
  readonly json: boolean;
}

/** Lists the manifests that refer to an image: digest, type, size. */
export async function listArtifacts(
  context: RegistryContext,
  options: ListOptions,
): Promise<number> {
  const { repository, image } = await find(context, options.image);
  const { artifactType } = options;
  const found = await repository.referrers(image.digest, defined({ artifactType }));
  if (options.json) {
    await context.out.write(`${JSON.stringify(found, null, 2)}\n`);
    return 0;
  }
  const rows = found.map((each) => [
    each.digest,
    visibleText((each.artifactType ?? each.mediaType).replaceAll(/\s+/g, " ")),
    String(each.size),
  ]);
  const lines = [["DIGEST", "ARTIFACT TYPE", "SIZE"], ...rows];
  const width = (column: number) => Math.max(...lines.map((line) => line[column]?.length ?? 0)) + 3;
  const widths = [width(0), width(1), 0];
  const text = lines.map((line) => line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(""));
  await context.out.write(`${text.join("\n")}\n`);
  return 0;
}

export interface FetchOptions {
  /** An artifact by tag or digest; for an image, the artifact that refers to it. */
  readonly artifact: string;
  readonly artifactType?: string | undefined;
  /** Made when missing. */
  readonly directory: string;
}

/** Writes the files of an artifact, or of the artifacts of an image, into a directory; files that are there stay. */
export async function fetchArtifact(
  context: RegistryContext,
  options: FetchOptions,
): Promise<number> {
  const { repository, image } = await find(context, options.artifact);
  const { artifactType } = options;
  const digests = (await isArtifact(repository, image.digest))
    ? [image.digest]
    : (await repository.referrers(image.digest, defined({ artifactType }))).map(
        ({ digest }) => digest,
      );
  if (digests.length === 0) {
    throw new Fault("not_found", `${options.artifact} has no artifacts to fetch`, {
      about: options.artifact,
    });
  }
  await mkdir(options.directory, { recursive: true });
  for (const digest of digests) {
    const { bytes } = await repository.manifest(digest);
    for (const layer of parseManifest(bytes, `artifact ${digest}`).layers) {
      const path = join(options.directory, fileName(layer));
      await writeVerified(repository, layer, path);
      await context.out.write(`${path}\n`);
    }
  }
  return 0;
}

async function find(
  context: RegistryContext,
  text: string,
): Promise<{
  readonly reference: Reference;
  readonly repository: Repository;
  readonly image: Descriptor;
}> {
  const reference = withDefaultTag(parseReference(text));
  const repository = context.registry.repository(reference);
  const image = await repository.resolve(reference.digest ?? reference.tag ?? "latest");
  return { reference, repository, image };
}

async function isArtifact(repository: Repository, digest: Digest): Promise<boolean> {
  const { bytes, descriptor } = await repository.manifest(digest);
  if (descriptor.mediaType !== mediaTypes.manifest) return false;
  const { config } = parseManifest(bytes, `manifest ${digest}`);
  return config.mediaType !== mediaTypes.config;
}

async function putFile(repository: Repository, text: string): Promise<Descriptor> {
  const cut = /^(.+):([\w.+-]+\/[\w.+-]+)$/.exec(text);
  const [path = text, mediaType = "application/octet-stream"] = cut?.slice(1) ?? [];
  let size: number;
  const hash = new Digester();
  try {
    ({ size } = await stat(path));
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (cause) {
    throw new Fault("not_found", `cannot read ${path}: ${String(cause)}`, { about: path, cause });
  }
  const digest = hash.digest();
  await repository.putBlob({ digest, size }, (offset) => createReadStream(path, { start: offset }));
  return { mediaType, digest, size, annotations: { [titleAnnotation]: basename(path) } };
}

/** The name that the artifact gives, when it is one name and no path. */
function fileName({ annotations, digest }: Descriptor): string {
  const title = annotations?.[titleAnnotation] ?? digest.replace(":", "-");
  if (/^[^/\p{Cc}]{1,255}$/u.test(title) && title !== "." && title !== "..") return title;
  throw new Fault(
    "invalid",
    `the artifact's file ${JSON.stringify(title)} would not be written into the directory: it is a path, not a name`,
  );
}

/** Its bytes get the name once they are known to be the right ones. */
async function writeVerified(
  repository: Repository,
  descriptor: Descriptor,
  path: string,
): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  const hash = new Digester(digestAlgorithm(descriptor.digest));
  try {
    {
      await using file = await open(part, "wx", 0o644);
      for await (const chunk of repository.blob(descriptor)) {
        hash.update(chunk);
        await file.write(chunk);
      }
    }
    requireDigest(path, descriptor.digest, hash.digest());
    if (await stat(path).catch(() => undefined)) {
      throw new Fault("exists", `${path} exists already; fetch into another directory`, {
        about: path,
      });
    }
    await rename(part, path);
  } finally {
    await rm(part, { force: true });
  }
}
