import { defined, Fault, isFault } from "#base";
import {
  canonicalName,
  canonicalString,
  type Descriptor,
  encodeDocument,
  familiarString,
  isConfigType,
  isIndexType,
  mediaTypes,
  type Platform,
  parseImageConfig,
  parseIndex,
  parseManifest,
  parseReference,
  type Reference,
  sha256,
  withDefaultTag,
} from "#image";
import type { Repository } from "#registry-client";
import { ManifestLists, sourceAnnotation } from "./manifest-lists.ts";
import type { RegistryContext } from "./registry-context.ts";

export interface ManifestContext extends RegistryContext {
  /** Docker's: "~/.docker". */
  readonly configDirectory: string;
}

/** Makes a list of manifests that are in registries, to be pushed later. */
export async function createManifestList(
  context: ManifestContext,
  options: {
    readonly list: string;
    readonly manifests: readonly string[];
    /** Adds to a list that exists. */
    readonly amend: boolean;
  },
): Promise<number> {
  const name = nameOf(options.list);
  const lists = new ManifestLists(context.configDirectory);
  const before = await lists.find(name);
  if (before && !options.amend) {
    throw new Fault(
      "exists",
      `the manifest list ${familiarString(name)} exists already; add to it with --amend, or remove it with "thimble manifest rm"`,
      { about: options.list },
    );
  }
  let entries = before?.manifests ?? [];
  for (const text of options.manifests) {
    entries = replaced(entries, await describe(context, nameOf(text)));
  }
  await lists.put(name, entries);
  await context.out.write(`Created manifest list ${canonicalString(name)}\n`);
  return 0;
}

/** Changes the platform of one manifest in a list. */
export async function annotateManifest(
  context: ManifestContext,
  options: {
    readonly list: string;
    readonly manifest: string;
    readonly platform: Partial<Platform> & Readonly<Record<string, unknown>>;
  },
): Promise<number> {
  const name = nameOf(options.list);
  const lists = new ManifestLists(context.configDirectory);
  const { manifests } = await lists.get(name);
  const source = canonicalString(nameOf(options.manifest));
  const entry = manifests.find((each) => each.annotations?.[sourceAnnotation] === source);
  if (!entry) {
    throw new Fault(
      "not_found",
      `manifest for image ${options.manifest} does not exist in ${options.list}; add it with "thimble manifest create --amend"`,
      { about: options.manifest },
    );
  }
  const platform = { os: "", architecture: "", ...entry.platform, ...options.platform };
  await lists.put(name, replaced(manifests, { ...entry, platform }));
  return 0;
}

/** Prints a list, or a manifest as its registry has it. */
export async function inspectManifest(
  context: ManifestContext,
  options: {
    readonly list?: string | undefined;
    readonly manifest: string;
    readonly verbose: boolean;
  },
): Promise<number> {
  const name = nameOf(options.manifest);
  const lists = new ManifestLists(context.configDirectory);
  const within = options.list === undefined ? undefined : await lists.get(nameOf(options.list));
  const local = within ? undefined : await lists.find(name);
  if (local) {
    const { mediaType, manifests } = local;
    await print(
      context,
      options.verbose
        ? await describeEntries(context, name, manifests)
        : indexOf(manifests, mediaType),
    );
    return 0;
  }
  const source = canonicalString(name);
  const entry = within?.manifests.find((each) => each.annotations?.[sourceAnnotation] === source);
  if (within && !entry) {
    throw new Fault("not_found", `${options.manifest} is not in ${options.list}`, {
      about: options.manifest,
    });
  }
  const found = await fetchManifest(context, name, entry?.digest ?? tagOf(name));
  if (!options.verbose) await print(context, JSON.parse(found.bytes.toString()));
  else if (isIndexType(found.descriptor.mediaType)) {
    const { manifests } = parseIndex(found.bytes, source);
    await print(context, await describeEntries(context, name, manifests));
  } else await print(context, await describeManifest(context, name, found, entry));
  return 0;
}

/**
 * Copies the missing manifests into the list's repository, then pushes the list; prints its digest.
 */
export async function pushManifestList(
  context: ManifestContext,
  options: { readonly list: string /** Removes the list afterwards. */; readonly purge: boolean },
): Promise<number> {
  const name = nameOf(options.list);
  const lists = new ManifestLists(context.configDirectory);
  const { manifests } = await lists.get(name);
  const target = context.registry.repository(name);
  for (const entry of manifests) {
    await copy(context, entry, name, target);
    const pushed = `${canonicalName(name)}@${entry.digest}`;
    await context.out.write(`Pushed ref ${pushed} with digest: ${entry.digest}\n`);
  }
  const index = indexOf(manifests, listType(manifests));
  const bytes = encodeDocument(index);
  const { digest } = await target.putManifest(tagOf(name), bytes, index.mediaType);
  if (options.purge) await lists.remove(name);
  await context.out.write(`${digest}\n`);
  return 0;
}

/** Forgets lists that were made here. */
export async function removeManifestLists(
  context: ManifestContext,
  { names }: { readonly names: readonly string[] },
): Promise<number> {
  const lists = new ManifestLists(context.configDirectory);
  for (const name of names) await lists.remove(nameOf(name));
  return 0;
}

function nameOf(text: string): Reference {
  return withDefaultTag(parseReference(text));
}

function tagOf(name: Reference): string {
  return name.digest ?? name.tag ?? "latest";
}

type Fetched = Awaited<ReturnType<Repository["manifest"]>>;

/** A missing manifest is told in docker's words. */
async function fetchManifest(
  { registry }: RegistryContext,
  name: Reference,
  tagOrDigest: string,
): Promise<Fetched> {
  try {
    return await registry.repository(name).manifest(tagOrDigest);
  } catch (cause) {
    if (!isFault(cause, "not_found")) throw cause;
    const shown = familiarString(name);
    throw new Fault("not_found", `no such manifest: ${shown}`, { about: shown, cause });
  }
}

/** The platform of an image, as its configuration says; an artifact has none. */
async function platformOf(
  { registry }: RegistryContext,
  name: Reference,
  bytes: Uint8Array,
): Promise<Platform | undefined> {
  const { config } = parseManifest(bytes, familiarString(name));
  if (!isConfigType(config.mediaType)) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of registry.repository(name).blob(config)) chunks.push(chunk.slice());
  const { os, architecture, variant } = parseImageConfig(
    Buffer.concat(chunks),
    `configuration of ${familiarString(name)}`,
  );
  return { os, architecture, ...defined({ variant }) };
}

/** A manifest with its descriptor, in the shape of `docker manifest inspect -v`. */
async function describeManifest(
  context: RegistryContext,
  name: Reference,
  { descriptor, bytes }: Fetched,
  entry?: Descriptor,
): Promise<object> {
  const platform = entry?.platform ?? (await platformOf(context, name, bytes));
  const { mediaType, digest, size } = descriptor;
  const isDocker = mediaType === mediaTypes.dockerManifest;
  return {
    Ref: canonicalString(name),
    Descriptor: { mediaType, digest, size, ...defined({ platform }) },
    Raw: bytes.toString("base64"),
    [isDocker ? "SchemaV2Manifest" : "OCIManifest"]: JSON.parse(bytes.toString()) as unknown,
  };
}

async function describeEntries(
  context: RegistryContext,
  name: Reference,
  entries: readonly Descriptor[],
): Promise<object[]> {
  const described: object[] = [];
  for (const entry of entries) {
    const source = entry.annotations?.[sourceAnnotation];
    const from = source === undefined ? name : parseReference(source);
    const found = await fetchManifest(context, from, entry.digest);
    const named = { ...name, digest: entry.digest };
    described.push(await describeManifest(context, named, found, entry));
  }
  return described;
}

/** A manifest of a registry as a list's entry, with the platform that its configuration tells. */
async function describe(context: RegistryContext, name: Reference): Promise<Descriptor> {
  const { descriptor, bytes } = await fetchManifest(context, name, tagOf(name));
  if (isIndexType(descriptor.mediaType)) {
    throw new Fault(
      "invalid",
      `${familiarString(name)} is a manifest list itself; name its images by digest`,
      {
        about: familiarString(name),
      },
    );
  }
  const platform = await platformOf(context, name, bytes);
  return {
    mediaType: descriptor.mediaType,
    digest: sha256(bytes),
    size: bytes.length,
    ...defined({ platform }),
    annotations: { [sourceAnnotation]: canonicalString(name) },
  };
}

/**
 * Copies manifest and blobs into the repository of the list; the registry mounts those that it has.
 */
async function copy(
  { registry }: RegistryContext,
  entry: Descriptor,
  list: Reference,
  target: Repository,
): Promise<void> {
  const source = parseReference(entry.annotations?.[sourceAnnotation] ?? "");
  if (canonicalName(source) === canonicalName(list)) return;
  const from = registry.repository(source);
  const { bytes, descriptor } = await from.manifest(entry.digest);
  const { config, layers } = parseManifest(bytes, familiarString(source));
  const mountFrom = source.domain === list.domain ? [source.path] : [];
  for (const blob of [config, ...layers.filter((layer) => !isForeign(layer))]) {
    await target.putBlob(blob, (offset) => from.blob(blob, { offset }), { mountFrom });
  }
  await target.putManifest(entry.digest, bytes, descriptor.mediaType);
}

function isForeign({ mediaType }: Descriptor): boolean {
  return /\.(foreign|nondistributable)\./.test(mediaType);
}

function replaced(entries: readonly Descriptor[], entry: Descriptor): readonly Descriptor[] {
  const source = entry.annotations?.[sourceAnnotation];
  return [...entries.filter((each) => each.annotations?.[sourceAnnotation] !== source), entry];
}

/** Docker's kind of list when all of its manifests are of Docker's kind. */
function listType(entries: readonly Descriptor[]): string {
  const isDocker = entries.every(({ mediaType }) => mediaType === mediaTypes.dockerManifest);
  return isDocker && entries.length > 0 ? mediaTypes.dockerIndex : mediaTypes.index;
}

function indexOf(entries: readonly Descriptor[], mediaType: string) {
  return { schemaVersion: 2, mediaType, manifests: entries.map(withoutSource) };
}

function withoutSource({ annotations, ...entry }: Descriptor): Descriptor {
  const { [sourceAnnotation]: _source, ...others } = annotations ?? {};
  return Object.keys(others).length > 0 ? { ...entry, annotations: others } : entry;
}

async function print({ out }: RegistryContext, value: unknown): Promise<void> {
  await out.write(`${JSON.stringify(value, null, 3)}\n`);
}
