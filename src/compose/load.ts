import { posix } from "node:path";
import { Fault } from "#base";
import { isMapping, type Mapping, type Value } from "#yaml";
import { makeCanonical } from "./canonical.ts";
import { checkModel } from "./check-model.ts";
import { placeOf } from "./diagnostic.ts";
import { type Document, lineAt, readDocuments, type Source } from "./documents.ts";
import { applyExtends, ExtendsTrail } from "./extends.ts";
import { type Files, readText } from "./files.ts";
import { fillDefaults, omitEmpty } from "./fill.ts";
import { applyInclude } from "./include.ts";
import { interpolate, ValueFault } from "./interpolate.ts";
import { mergeModels } from "./merge.ts";
import { applyResets, type Resets } from "./reset.ts";
import { resolvePaths } from "./resolve-paths.ts";
import { resolveReferences } from "./resolve-references.ts";
import { checkSchema } from "./schema/check.ts";
import { enforceUnicity } from "./unicity.ts";

/** What a model is made from. */
export interface LoadOptions {
  readonly files: Files;
  /** Whence paths count that were left relative. */
  readonly cwd: string;
  readonly environment: ReadonlyMap<string, string>;
  readonly home: string;
  readonly warn: (message: string) => void;
  readonly isInterpolated: boolean;
  readonly resolvesPaths: boolean;
}

/** Files to read, and the directory from which they are meant. */
export interface Sources {
  /** As it is joined to paths; relative for files that are included. */
  readonly directory: string;
  /** The same, absolute. */
  readonly root: string;
  readonly files: readonly Source[];
  /** Absolute paths of the files that led here by "include". */
  readonly trail: readonly string[];
}

/** Reads the files, lays them over one another and resolves what they refer to. */
export function loadModel(sources: Sources, options: LoadOptions): Mapping {
  let model: Mapping = new Map();
  for (const source of sources.files) model = addFile(model, source, sources, options);
  fillDefaults(model);
  checkModel(model);
  const { home, files } = options;
  if (options.resolvesPaths) resolvePaths(model, { directory: sources.directory, home, files });
  resolveReferences(model, options.environment);
  return model;
}

function addFile(base: Mapping, source: Source, sources: Sources, options: LoadOptions): Mapping {
  let model = base;
  for (const document of readDocuments(source)) {
    const own = replaceVariables(asModel(document.value), options, { source, document });
    fillEmpty(own);
    const extended = { ...options, root: sources.root, loadBase };
    applyExtends(own, source.path, extended, new ExtendsTrail(), [document.resets]);
    applyResets(model, document.resets);
    applyInclude(own, source.path, sources, document.resets, { ...options, loadModel });
    model = enforceUnicity(mergeModels(model, own));
    checkSchema(model, source, document.node);
    if (model.delete("version")) {
      options.warn(
        `${source.path}: the attribute \`version\` is obsolete, it will be ignored, please remove it to avoid potential confusion`,
      );
    }
    model = makeCanonical(model, !options.isInterpolated, options.warn);
    omitEmpty(model);
    model = enforceUnicity(model);
  }
  return model;
}

function asModel(value: Value): Mapping {
  if (isMapping(value)) return value;
  throw new Fault("invalid", "top-level object must be a mapping");
}

function replaceVariables(
  model: Mapping,
  options: LoadOptions,
  { source, document }: { readonly source: Source; readonly document: Document },
): Mapping {
  if (!options.isInterpolated) return model;
  const lookup = (name: string) => options.environment.get(name);
  try {
    return interpolate(model, { lookup, warn: options.warn });
  } catch (error) {
    if (!(error instanceof ValueFault)) throw error;
    const mark = placeOf(document.node, error.place);
    throw new Fault("invalid", `${error.message}\n${lineAt(source, mark)}`, { about: source.path });
  }
}

/** An empty volume or network of a service is the same as one without options. */
function fillEmpty(model: Mapping): void {
  const volumes = model.get("volumes");
  if (!isMapping(volumes)) return;
  for (const [name, volume] of volumes) if (volume === null) volumes.set(name, new Map());
}

/** The services of a file that is extended, with paths as the extending file means them. */
function loadBase(
  path: string,
  reference: string,
  options: LoadOptions,
): { model: Mapping; resets: Resets } {
  let model: Mapping = new Map();
  const resets: (readonly string[])[] = [];
  const source = { path, text: readText(options.files, path) };
  for (const document of readDocuments(source)) {
    const own = replaceVariables(asModel(document.value), options, { source, document });
    model = enforceUnicity(mergeModels(model, own));
    model = enforceUnicity(makeCanonical(model, !options.isInterpolated, options.warn));
    resets.push(...document.resets);
  }
  const { home, files } = options;
  resolvePaths(model, { directory: posix.dirname(reference), home, files });
  return { model, resets };
}
