import { Fault, faultOf, parseBool } from "#base";
import { type Digest, parseDigest, parseReference, type Reference, withDefaultTag } from "#image";
import { type CompressionChoice, parseCompression } from "#layer";
import type { CacheForm } from "./cache-manifest.ts";

/** A cache as clients name it: "registry", "local", "inline", and the attributes of that type. */
export interface CacheOption {
  readonly type: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** A cache that a build reads. */
export type CacheImport =
  | CacheRepository
  /** A directory of the client's: an OCI layout. */
  | { readonly kind: "local"; readonly source: string; readonly wanted: Digest | string };

/** A cache in a registry. */
export interface CacheRepository {
  readonly kind: "registry";
  readonly reference: Reference;
  /** As it was given, for people. */
  readonly name: string;
}

/** A cache that a build writes. */
export type CacheExport = InlineExport | PlacedExport;

interface InlineExport {
  readonly kind: "inline";
}

/** What of a build is written, and how. */
export interface CacheContent extends CacheForm {
  /** "min": the steps whose layers the image has; "max": all that were solved. */
  readonly mode: "min" | "max";
  /** Of the layers that steps have made; absent: as they are. */
  readonly compression?: CompressionChoice | undefined;
  /** Also the layers of base images get that compression. */
  readonly isForced: boolean;
  /** A failure to write it does not fail the build. */
  readonly ignoresErrors: boolean;
}

/** A cache with a place of its own. */
type PlacedExport = CacheContent &
  (
    | CacheRepository
    | { readonly kind: "local"; readonly destination: string; readonly tag: string }
  );

const supported = "use registry, local or inline";
/** Types that BuildKit has too. */
const refused = new Set(["gha", "s3", "azblob"]);
const content = [
  ...["mode", "oci-mediatypes", "image-manifest", "compression", "compression-level"],
  ...["force-compression", "ignore-error"],
];
const known: Readonly<Record<string, readonly string[]>> = {
  "from registry": ["ref"],
  "from local": ["src", "digest", "tag"],
  "to registry": ["ref", ...content],
  "to local": ["dest", "tag", ...content],
  "to inline": content,
};

/** Reads a value of --cache-from. `unsupported` names a type that is not here, `invalid` what is wrong. */
export function parseCacheImport({ type, attributes }: CacheOption): CacheImport {
  requireType("from", type);
  requireKnown("from", { type, attributes });
  if (type === "registry") return repositoryOf(attributes);
  const source = attributes.get("src");
  if (!source) throw invalid("local cache importer requires src");
  const digest = attributes.get("digest");
  const wanted = digest ? parseDigest(digest) : attributes.get("tag") || "latest";
  return { kind: "local", source, wanted };
}

/** Reads a value of --cache-to, as `parseCacheImport` does. */
export function parseCacheExport({ type, attributes }: CacheOption): CacheExport {
  requireType("to", type);
  requireKnown("to", { type, attributes });
  if (type === "inline") return { kind: type };
  const what = contentOf(attributes);
  if (type === "registry") return { ...what, ...repositoryOf(attributes) };
  const destination = attributes.get("dest");
  if (!destination) throw invalid("local cache exporter requires dest");
  return { ...what, kind: "local", destination, tag: attributes.get("tag") || "latest" };
}

function requireType(direction: "from" | "to", type: string): void {
  if (known[`${direction} ${type}`]) return;
  if (!refused.has(type)) {
    const role = direction === "from" ? "importer" : "exporter";
    throw invalid(`unknown cache ${role}: ${JSON.stringify(type)}: ${supported}`);
  }
  const message = `--cache-${direction} of the type ${type} is not supported: ${supported}`;
  throw new Fault("unsupported", message, { about: type });
}

function requireKnown(direction: "from" | "to", { type, attributes }: CacheOption): void {
  const names = known[`${direction} ${type}`] ?? [];
  const odd = [...attributes.keys()].find((name) => !names.includes(name));
  if (odd === undefined) return;
  throw invalid(
    `--cache-${direction} of the type ${type} has no option ${odd}: it has ${names.join(", ")}`,
  );
}

function contentOf(attributes: CacheOption["attributes"]): CacheContent {
  const flag = (name: string, usual: boolean) => {
    const text = attributes.get(name);
    try {
      return text === undefined ? usual : parseBool(text);
    } catch (error) {
      throw invalid(`failed to parse ${name}: ${faultOf(error).message}`);
    }
  };
  const mode = attributes.get("mode") ?? "min";
  if (mode !== "min" && mode !== "max") {
    throw invalid(`invalid cache export mode ${JSON.stringify(mode)}: use min or max`);
  }
  const isOci = flag("oci-mediatypes", true);
  const isImageManifest = flag("image-manifest", isOci);
  if (isImageManifest && !isOci) {
    throw invalid("a cache with image-manifest=true has OCI's media types: oci-mediatypes=true");
  }
  return {
    ...{ mode, isOci, isImageManifest, compression: compressionOf(attributes) },
    isForced: flag("force-compression", false),
    ignoresErrors: flag("ignore-error", false),
  };
}

function compressionOf(attributes: CacheOption["attributes"]): CompressionChoice | undefined {
  const format = attributes.get("compression");
  const level = attributes.get("compression-level");
  if (format === "estargz" || format === "uncompressed") {
    const message = `caches are not written as ${format}: use gzip or zstd`;
    throw new Fault("unsupported", message, { about: format });
  }
  if (format !== undefined) return parseCompression(level ? `${format}:${level}` : format);
  if (level === undefined) return undefined;
  throw invalid("compression-level needs compression=gzip or compression=zstd");
}

function repositoryOf(attributes: CacheOption["attributes"]): CacheRepository {
  const name = attributes.get("ref");
  if (!name) throw invalid("missing ref: a cache of the type registry needs ref=IMAGE");
  return { kind: "registry", reference: withDefaultTag(parseReference(name)), name };
}

const invalid = (message: string) => new Fault("invalid", message);
