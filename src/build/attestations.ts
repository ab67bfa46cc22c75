import {
  imageUrl,
  predicateTypes,
  type Statement,
  slsaProvenance,
  spdxDocument,
  statement,
} from "#attest";
import { defined, Fault } from "#base";
import { familiarName, formatPlatform, type Reference } from "#image";
import type { PrivateMount } from "./build-files.ts";
import type { BuiltImage } from "./contract.ts";
import { packageTree } from "./package-tree.ts";

/** What is to be said about the images of a build. */
export interface AttestationOptions {
  readonly sbom?: boolean;
  readonly provenance?: {
    readonly mode: "min" | "max";
    readonly builderId?: string;
    readonly isReproducible: boolean;
  };
}

/** A statement that is still to learn what it is about. */
export interface Predicate {
  readonly type: string;
  readonly value: object;
  /** The file of it beside files of a result. */
  readonly fileName: string;
}

type Fields = ReadonlyMap<string, string>;

/**
 * Reads attestations as BuildKit has them, by their kinds: "type=provenance,mode=max". `invalid` for
 * a kind or a value that does not exist, `unsupported` for what is not done here.
 */
export function readAttestations(given: Iterable<readonly [string, string]>): AttestationOptions {
  let options: AttestationOptions = {};
  for (const [kind, text] of given) {
    const fields = fieldsOf(text);
    if (fields.get("disabled") === "true") continue;
    if (kind === "sbom") options = { ...options, ...sbomOf(fields) };
    else if (kind === "provenance") options = { ...options, ...provenanceOf(fields) };
    else throw new Fault("invalid", `unknown attestation type ${JSON.stringify(kind)}`);
  }
  return options;
}

function fieldsOf(text: string): Fields {
  const fields = text.split(",").filter(Boolean);
  return new Map(
    fields.map((field) => {
      const at = field.indexOf("=");
      return at < 0 ? [field, ""] : [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}

function sbomOf(fields: Fields): AttestationOptions {
  refuseOthers("sbom", fields, []);
  return { sbom: true };
}

function provenanceOf(fields: Fields): AttestationOptions {
  // What clients ask for by themselves; dockerd makes none either where images have no indexes.
  if (fields.get("inline-only") === "true") return {};
  refuseOthers("provenance", fields, ["mode", "builder-id", "reproducible", "version"]);
  const mode = fields.get("mode") || "min";
  if (mode !== "min" && mode !== "max") {
    throw new Fault("invalid", `invalid mode ${JSON.stringify(mode)}`, { about: mode });
  }
  const version = fields.get("version") || "v1";
  if (version !== "v1") {
    throw new Fault("unsupported", `provenance of the version ${version} is not supported: use v1`);
  }
  const isReproducible = fields.get("reproducible") === "true";
  const builderId = fields.get("builder-id");
  return { provenance: { mode, isReproducible, ...defined({ builderId }) } };
}

function refuseOthers(kind: string, fields: Fields, known: readonly string[]): void {
  const all = new Set(["type", "disabled", "enabled", "inline-only", ...known]);
  const other = [...fields.keys()].find((name) => !all.has(name));
  if (other === undefined) return;
  const why = other === "generator" ? ": thimble reads the package databases itself" : "";
  throw new Fault("unsupported", `the option ${other} of --${kind} is not supported${why}`, {
    about: other,
  });
}

/** Whether anything is to be said. */
export function hasAttestations({ sbom = false, provenance }: AttestationOptions): boolean {
  return sbom || provenance !== undefined;
}

/** What is to be said about one image of a build, whose files are mounted. */
export async function predicatesOf(
  image: BuiltImage,
  mounted: PrivateMount,
  { sbom = false, provenance }: AttestationOptions,
): Promise<Predicate[]> {
  const found: Predicate[] = [];
  if (sbom) {
    const value = await billOfMaterials(mounted, "sbom");
    found.push({ type: predicateTypes.spdx, value, fileName: "sbom.spdx.json" });
  }
  if (provenance) {
    const { platform, origin } = image;
    const value = slsaProvenance({
      ...{ ...origin, ...provenance, platform: formatPlatform(platform) },
    });
    found.push({ type: predicateTypes.provenance, value, fileName: "provenance.json" });
  }
  return found;
}

/** The bill of materials of a mounted image, in SPDX. */
export async function billOfMaterials(
  { root }: Pick<PrivateMount, "root">,
  name: string,
): Promise<object> {
  return await spdxDocument(packageTree(root), { name, tool: "thimble" });
}

/** Statements about an image by its digest, under its names. */
export function imageStatements(
  predicates: readonly Predicate[],
  image: Pick<BuiltImage, "platform"> & {
    readonly digest: string;
    readonly names: readonly Reference[];
  },
): Statement[] {
  const platform = formatPlatform(image.platform);
  const urls = image.names.map((name) =>
    imageUrl(familiarName(name), { platform, ...defined({ tag: name.tag }) }),
  );
  const about = { urls, digest: image.digest };
  return predicates.map(({ type, value }) => statement(type, value, about));
}
