import { Fault } from "#base";
import {
  canonicalName,
  canonicalString,
  type Descriptor,
  encodeDocument,
  familiarString,
  isIndexType,
  mediaTypes,
  type Platform,
  parseImageConfig,
  parseManifest,
  parseReference,
  type Reference,
  sha256,
  withDefaultTag,
} from "#image";
import type { Repository } from "#registry";
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
    /** Adds to a list that is there. */
    readonly amend: boolean;
  },
): Promise<number> {
  const name = nameOf(options.list);
  const lists = new ManifestLists(context.configDirectory);
  const before = await lists.find(name);
  if (before && !options.amend) {
    throw new Fault(
      "exists",
      `the manifest list ${familiarString(name)} is there already; add to it with --amend, or remove it with "thimble manifest rm"`,
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

/** Changes what a list says of one manifest's platform. */
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
    await print(context, indexOf(manifests, mediaType));
    return 0;
  }
  const source = canonicalString(name);
  const entry = within?.manifests.find((each) => each.annotations?.[sourceAnnotation] === source);
  if (within && !entry) {
    throw new Fault("not_found", `${options.manifest} is not in ${options.list}`, {
      about: options.manifest,
    });
  }
  const repository = context.registry.repository(name);
  const { descriptor, bytes } = await repository.manifest(entry?.digest ?? tagOf(name));
  const document: unknown = JSON.parse(bytes.toString());
  const described = entry ? withoutSource(entry) : descriptor;
  await print(
    context,
    options.verbose ? { Ref: source, Descriptor: described, Manifest: document } : document,
  );
  return 0;
}

/** Copies what the list needs into its repository, then pushes the list; prints its digest. */
export async function pushManifestList(
  context: ManifestContext,
  options: { readonly list: string /** Removes the list afterwards. */; readonly purge: boolean },
): Promise<number> {
  const name = nameOf(options.list);
  const lists = new ManifestLists(context.configDirectory);
  const { manifests } = await lists.get(name);
  const target = context.registry.repository(name);
  for (const entry of manifests) await copy(context, entry, name, target);
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

/** A manifest of a registry as a list's entry, with the platform that its configuration tells. */
async function describe({ registry }: RegistryContext, name: Reference): Promise<Descriptor> {
  const repository = registry.repository(name);
  const { descriptor, bytes } = await repository.manifest(tagOf(name));
  if (isIndexType(descriptor.mediaType)) {
    throw new Fault(
      "invalid",
      `${familiarString(name)} is a manifest list itself; name its images by digest`,
      {
        about: familiarString(name),
      },
    );
  }
  const { config } = parseManifest(bytes, familiarString(name));
  const chunks: Uint8Array[] = [];
  for await (const chunk of repository.blob(config)) chunks.push(chunk.slice());
  const { os, architecture, variant } = parseImageConfig(
    Buffer.concat(chunks),
    `configuration of ${familiarString(name)}`,
  );
  return {
    mediaType: descriptor.mediaType,
    digest: sha256(bytes),
    size: bytes.length,
    platform: { os, architecture, ...(variant !== undefined && { variant }) },
    annotations: { [sourceAnnotation]: canonicalString(name) },
  };
}

/** Manifest and blobs into the repository of the list; the registry mounts what it has. */
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
