import { resolve } from "node:path";
import type { BuildBody } from "#wire";
import { csvFields } from "../csv-fields.ts";
import { Exit } from "../failure.ts";

type OutputType = NonNullable<BuildBody["outputs"]>[number]["type"];

/** Where a result goes: to the engine's images and registries, or, with `dest`, to this machine. */
export interface BuildOutput {
  readonly type: OutputType;
  readonly attributes: Readonly<Record<string, string>>;
  /** A path, or "-" for standard output. */
  readonly dest: string | undefined;
}

const types: readonly string[] = ["image", "oci", "docker", "tar", "local", "cacheonly"];

/**
 * The outputs of -o, --push and --load. Without any the image is kept under its tags, as docker
 * does.
 */
export function parseOutputs(
  words: readonly string[],
  { push, load }: { readonly push: boolean; readonly load: boolean },
): BuildOutput[] {
  const outputs = words.map(parseOutput);
  if (push && load) throw fail("--push and --load cannot be given together");
  const image = outputs.findIndex(({ type }) => type === "image");
  if (push && image >= 0) {
    const [found] = outputs.splice(image, 1);
    outputs.push({
      type: "image",
      dest: undefined,
      attributes: { ...found?.attributes, push: "true" },
    });
  } else if (push) outputs.push({ type: "image", attributes: { push: "true" }, dest: undefined });
  const keeps = outputs.some(({ type, dest }) => type === "image" && dest === undefined);
  if ((load && !keeps) || outputs.length === 0) {
    outputs.push({ type: "image", attributes: {}, dest: undefined });
  }
  if (outputs.filter(({ dest }) => dest === "-").length > 1) {
    throw fail("only one output can go to standard output");
  }
  return outputs;
}

/** "type=local,dest=out"; a path alone is a directory, and "-" a tar to standard output. */
function parseOutput(word: string): BuildOutput {
  const fields = csvFields(word);
  if (fields.length === 1 && !word.startsWith("type=")) {
    if (word === "") throw fail("an output needs a type or a path");
    return word === "-"
      ? { type: "tar", attributes: {}, dest: "-" }
      : { type: "local", attributes: {}, dest: resolve(word) };
  }
  const all = new Map<string, string>();
  for (const field of fields) {
    const equals = field.indexOf("=");
    if (equals <= 0) throw fail(`invalid value ${field} of an output: write KEY=VALUE`);
    all.set(field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1));
  }
  const given = all.get("type");
  if (given === undefined) throw fail("type is required for output");
  const dest = all.get("dest");
  all.delete("type");
  all.delete("dest");
  const attributes = Object.fromEntries(all);
  if (given === "registry") {
    return withoutDest("image", { ...attributes, push: "true" }, dest);
  }
  if (!types.includes(given)) {
    throw fail(`the output type ${given} is unknown; use ${[...types, "registry"].join(", ")}`);
  }
  const type = given as OutputType;
  // Without a destination it is loaded into the engine, which has it then.
  if (type === "docker" && dest === undefined) return withoutDest("image", attributes, dest);
  if (type === "image" || type === "cacheonly") return withoutDest(type, attributes, dest);
  if (type === "local" && (dest === undefined || dest === "-")) {
    throw fail("dest is required for local exporter: write type=local,dest=DIRECTORY");
  }
  return { type, attributes, dest: dest === undefined || dest === "-" ? "-" : resolve(dest) };
}

function withoutDest(
  type: OutputType,
  attributes: Readonly<Record<string, string>>,
  dest: string | undefined,
): BuildOutput {
  if (dest !== undefined) throw fail(`the output type ${type} has no dest`);
  return { type, attributes, dest };
}

function fail(why: string): Exit {
  return new Exit(1, `ERROR: failed to build: ${why}`);
}
