import { parseAnnotation } from "#bake";
import { faultOf } from "#base";
import { Exit } from "../failure.ts";
import type { BuildOutput } from "./build-outputs.ts";

const withImages: ReadonlySet<BuildOutput["type"]> = new Set(["image", "oci", "docker"]);

/** The outputs with the annotations of --annotation, as BuildKit's attributes. */
export function annotated(
  outputs: readonly BuildOutput[],
  words: readonly string[],
): readonly BuildOutput[] {
  const attributes = Object.fromEntries(words.flatMap(attributesOf));
  return outputs.map((output) =>
    withImages.has(output.type)
      ? { ...output, attributes: { ...output.attributes, ...attributes } }
      : output,
  );
}

function attributesOf(word: string): [string, string][] {
  try {
    const { levels, key, value } = parseAnnotation(word);
    return levels.map((level) => [`annotation-${level}.${key}`, value]);
  } catch (error) {
    throw new Exit(1, `ERROR: failed to build: ${faultOf(error).message}`);
  }
}
