import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseCache } from "#bake";
import { Fault, faultOf } from "#base";
import {
  type Descriptor,
  digestPath,
  encodeDocument,
  type Index,
  isDigest,
  mediaTypes,
  parseDigest,
  parseIndex,
  parseJson,
  readDescriptor,
} from "#image";
import type { BuildBody, BuildCache, BuildResult } from "#wire";
import { Exit } from "../failure.ts";
import { receiveTree } from "../receive-tree.ts";
import { readIfThere } from "./build-file.ts";
import { fetched } from "./receive-outputs.ts";
import { type BuildWork, sendShown } from "./send-source.ts";

/** A value of --cache-from or --cache-to; paths are absolute. */
interface CacheWord {
  readonly type: string;
  readonly attributes: Readonly<Record<string, string>>;
}

type SentCache = NonNullable<BuildBody["cacheFrom"]>[number];

const types = ["registry", "local", "inline"];
const tagAnnotation = "org.opencontainers.image.ref.name";
const maxBlobs = 20_000;

/** "type=registry,ref=IMAGE", or an image alone. What each type takes is for the engine to say. */
export function parseCaches(
  flag: "cache-from" | "cache-to",
  words: readonly string[],
): readonly CacheWord[] {
  return words.flatMap((word) =>
    entriesOf(word).map(({ type, options }) => {
      if (!types.includes(type)) {
        throw fail(`--${flag} of the type ${type} is not supported: use registry, local or inline`);
      }
      const attributes = Object.fromEntries(options);
      const place = flag === "cache-to" ? "dest" : "src";
      const path = attributes[place];
      return { type, attributes: path ? { ...attributes, [place]: resolve(path) } : attributes };
    }),
  );
}

function entriesOf(word: string): ReturnType<typeof parseCache> {
  try {
    return parseCache(word);
  } catch (error) {
    throw fail(faultOf(error).message);
  }
}

/** Sends what local caches have; one that is not there is told, and left out. */
export async function sendCaches(
  words: readonly CacheWord[],
  work: BuildWork,
): Promise<SentCache[]> {
  const sent: SentCache[] = [];
  for (const { type, attributes } of words) {
    const { src } = attributes;
    if (type !== "local" || !src) {
      sent.push({ type, attributes: { ...attributes } });
      continue;
    }
    try {
      const { digest, paths } = await filesOf(src, attributes);
      const ignored = ["*", ...paths.map((path) => `!${path}`)].join("\n");
      const directory = { directory: src, ignored, purpose: "cache" };
      const context = await sendShown(`[cache ${src}] load from client`, directory, work);
      sent.push({ type, context, attributes: { src, digest } });
    } catch (error) {
      if (error instanceof Exit) throw error;
      await work.show.warn(`the cache ${src} is not used: ${faultOf(error).message}`);
    }
  }
  return sent;
}

/** The files of one cache in a directory, which may have others. */
async function filesOf(
  directory: string,
  { digest: given, tag = "latest" }: Readonly<Record<string, string>>,
): Promise<{ readonly digest: string; readonly paths: readonly string[] }> {
  const index = await readIndex(directory);
  const named = index.manifests.find(({ annotations }) => annotations?.[tagAnnotation] === tag);
  const digest = given ? parseDigest(given) : named?.digest;
  if (digest === undefined) throw new Fault("not_found", `it has no cache of the tag ${tag}`);
  const path = `blobs/${digestPath(digest)}`;
  const manifest = parseJson(path, await readFile(join(directory, path)));
  const listed = (["layers", "manifests"] as const).flatMap(
    (member) => manifest.at(member).optional((each) => each.list(maxBlobs, readDescriptor)) ?? [],
  );
  const config = manifest.at("config").optional(readDescriptor);
  const blobs = config ? [...listed, config] : listed;
  return { digest, paths: [path, ...blobs.map((each) => `blobs/${digestPath(each.digest)}`)] };
}

async function readIndex(directory: string): Promise<Index> {
  const path = join(directory, "index.json");
  const text = await readIfThere(path);
  if (text !== undefined) return parseIndex(Buffer.from(text), path);
  return { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] };
}

/** Fetches the caches that are for directories of this machine. */
export async function receiveCaches(
  words: readonly CacheWord[],
  { caches = [] }: BuildResult,
  work: BuildWork,
): Promise<void> {
  for (const made of caches) {
    const { dest, tag = "latest" } = words[made.cache]?.attributes ?? {};
    if (dest) await receive(made, { dest, tag }, work);
  }
}

/** Each blob gets its name when it is whole, and the index names it last. */
async function receive(
  { id, manifest }: BuildCache,
  { dest, tag }: { readonly dest: string; readonly tag: string },
  work: BuildWork,
): Promise<void> {
  const temporary = join(dest, "ingest", randomBytes(8).toString("hex"));
  await mkdir(temporary, { recursive: true });
  try {
    await work.show.transfer(
      "exporting cache to client directory",
      "copying files",
      async (onBytes) => {
        const tar = fetched(id, work, onBytes);
        await receiveTree(tar, temporary, { skip: async () => undefined });
      },
    );
    for (const algorithm of await readdir(join(temporary, "blobs"))) {
      const [from, to] = [temporary, dest].map((each) => join(each, "blobs", algorithm));
      await mkdir(to ?? "", { recursive: true });
      for (const name of await readdir(from ?? "")) {
        await rename(join(from ?? "", name), join(to ?? "", name));
      }
    }
    const index = await readIndex(dest);
    const manifests = index.manifests.filter((each) => each.annotations?.[tagAnnotation] !== tag);
    const { digest, ...rest } = manifest;
    if (!isDigest(digest)) throw new Exit(1, `ERROR: failed to build: ${digest} is no digest`);
    const named: Descriptor = { digest, ...rest, annotations: { [tagAnnotation]: tag } };
    await writeFile(join(dest, "oci-layout"), encodeDocument({ imageLayoutVersion: "1.0.0" }));
    const written = encodeDocument({ ...index, manifests: [...manifests, named] });
    await writeFile(join(temporary, "index.json"), written);
    await rename(join(temporary, "index.json"), join(dest, "index.json"));
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function fail(why: string): Exit {
  return new Exit(1, `ERROR: failed to build: ${why}`);
}
