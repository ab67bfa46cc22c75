import { z } from "zod";
import { wireLimits } from "./limits.ts";

const name = z.string().min(1).max(4096);
const names = z.array(name).max(wireLimits.list);
const pairs = z.record(z.string().max(4096), z.string().max(1 << 20));
const count = z.int().min(0);

/** The id of a context that was sent. */
const contextId = z.string().regex(/^[\w.-]{1,128}$/, "is not the id of a context");

/** An engine's directory with the files of a context, or where the engine finds them. */
const source = z.union([
  contextId,
  /** A git repository ("URL#REF:DIRECTORY"), a tar or a Dockerfile. */
  z.object({ remote: name }),
]);

const namedSource = z.union([
  source,
  z.object({ image: name }),
  /** Another stage. */
  z.object({ target: name }),
  /** An OCI layout that was sent as a context, and the image in it: a tag or a digest. */
  z.object({ layout: name, reference: name.nullish() }),
]);

/**
 * The query of POST /thimble/v1/build/contexts. With a key the body is the list of a directory's
 * entries, a JSON object a line (`ContextEntry`), and the answer a `ContextAnswer`: the client then
 * sends the wanted files as a tar with PUT /thimble/v1/build/contexts/ID; when none is wanted the
 * context is complete at once. Without a key the body is a tar of the whole context, and the answer
 * has its id only.
 */
export const contextQuerySchema = z.object({ key: z.string().min(1).max(256).optional() });

/** A line of a list; the path is relative, without "." and ".." in it. */
export const contextEntrySchema = z.object({
  path: name,
  /** st_mode: the type and the permissions. */
  mode: count.max(0xffff),
  /** Bytes of a file; 0 for other types. */
  size: count,
  /** Nanoseconds since 1970. */
  mtime: z.string().regex(/^-?\d{1,19}$/),
  /** The target of a symbolic link. */
  link: name.optional(),
});

const output = z.object({
  type: z.enum(["image", "oci", "docker", "tar", "local", "cacheonly"]),
  /** BuildKit's attributes: name, push, annotation-manifest.KEY, attestation-prefix, ... The client keeps dest. */
  attributes: pairs.default({}),
});

/** A cache in BuildKit's words: "registry", "local" or "inline", with the attributes of that type. */
const cache = z.object({ type: name, attributes: pairs.default({}) });

/** The body of POST /thimble/v1/build. Sizes are bytes. The answer is a stream of `BuildMessage`s. */
export const buildBodySchema = z.object({
  /** Null: a build without files. */
  context: source.nullable(),
  contexts: z.record(name, namedSource).default({}),
  /** The Dockerfile's text; absent: `dockerfileName` in the context. */
  dockerfile: z.string().optional(),
  dockerfileName: name.default("Dockerfile"),
  /** The text of the .dockerignore that the client applied. */
  ignore: z.string().optional(),
  target: z.string().optional(),
  buildArgs: pairs.default({}),
  labels: pairs.default({}),
  /** By kind ("sbom", "provenance"), in BuildKit's words: "type=provenance,mode=max". */
  attestations: pairs.default({}),
  /** As "linux/arm64"; none: the engine's own. */
  platforms: names.default([]),
  /** True, or the stages whose steps run again. */
  noCache: z.union([z.boolean(), names]).default(false),
  /** Ask registries also for images that are here. */
  pull: z.boolean().default(false),
  network: z.string().optional(),
  extraHosts: names.default([]),
  shmSize: count.optional(),
  ulimits: z
    .array(z.object({ Name: name, Soft: z.int(), Hard: z.int() }))
    .max(wireLimits.list)
    .default([]),
  cgroupParent: z.string().optional(),
  memory: count.optional(),
  /** Memory and swap; -1: without limit. */
  memorySwap: z.int().min(-1).optional(),
  cpuShares: count.optional(),
  cpuPeriod: count.optional(),
  cpuQuota: z.int().optional(),
  cpusetCpus: z.string().optional(),
  cpusetMems: z.string().optional(),
  /** Entitlements: "network.host", "security.insecure". */
  allow: names.default([]),
  /** The bytes of each secret in base64, by its id. */
  secrets: z.record(name, z.base64()).default({}),
  /** SOURCE_DATE_EPOCH: seconds since 1970. */
  epoch: z.int().min(0).max(253_402_300_799).optional(),
  tags: names.default([]),
  outputs: z.array(output).max(64).default([]),
  /** Offer a RUN that fails to the client, with a message of the kind "entry". */
  enter: z.boolean().default(false),
  /** Offer this step in place of what it would do: "", NUMBER, STAGE/NUMBER, STAGE or line:NUMBER. */
  entry: z.string().max(4096).optional(),
  /** Caches to read; the directory of a local one was sent as a context. */
  cacheFrom: z
    .array(cache.extend({ context: contextId.optional() }))
    .max(64)
    .default([]),
  cacheTo: z.array(cache).max(64).default([]),
  /** Say of each step that runs why it does. */
  explain: z.boolean().default(false),
});

export type BuildBody = z.input<typeof buildBodySchema>;
export type ContextEntry = z.infer<typeof contextEntrySchema>;
