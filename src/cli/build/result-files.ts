import { writeFile } from "node:fs/promises";
import { canonicalString, parseReference, withDefaultTag } from "#image";
import type { BuildResult } from "#wire";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import { reasonOf } from "../local-file.ts";
import type { buildFlags } from "../table/build.ts";

/** Writes what --iidfile and --metadata-file ask for. */
export async function writeResultFiles(
  { iidfile, "metadata-file": metadata }: Values<typeof buildFlags>,
  result: BuildResult,
  tags: readonly string[],
): Promise<void> {
  if (iidfile !== undefined) await write(iidfile, result.image ?? result.descriptor?.digest ?? "");
  if (metadata !== undefined) {
    await write(metadata, JSON.stringify(metadataOf(result, tags), null, 2));
  }
}

/** With buildx's keys. */
function metadataOf({ image, descriptor }: BuildResult, tags: readonly string[]) {
  const names = tags.map((tag) => canonicalString(withDefaultTag(parseReference(tag))));
  return {
    ...(image === undefined ? {} : { "containerimage.config.digest": image }),
    ...(descriptor === undefined ? {} : { "containerimage.descriptor": descriptor }),
    ...(image === undefined ? {} : { "containerimage.digest": descriptor?.digest ?? image }),
    ...(names.length === 0 ? {} : { "image.name": names.join(",") }),
  };
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new Exit(1, `ERROR: failed to build: open ${path}: ${reasonOf(error)}`);
  }
}
