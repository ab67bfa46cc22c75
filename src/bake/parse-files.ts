import { Fault, isFault } from "#base";
import { type Body, mergedBody, parseHclFile } from "#hcl";
import { composeDefinition } from "./compose.ts";
import { readCompose } from "./compose-model.ts";
import type { DefinitionFile } from "./definition-file.ts";
import { type DefinitionInput, type ListedVariable, readDefinition } from "./definition-reader.ts";
import { type Definition, mergeTarget, type Target } from "./target.ts";

/** The files that are read when none is named, as far as they are there, in this order. */
export const defaultFiles: readonly string[] = [
  "compose.yaml",
  "compose.yml",
  "docker-compose.yml",
  "docker-compose.yaml",
  "docker-bake.json",
  "docker-bake.hcl",
  "docker-bake.override.json",
  "docker-bake.override.hcl",
];

/** What files define together, with their variables. */
export interface ParsedFiles {
  readonly definition: Definition;
  readonly variables: readonly ListedVariable[];
}

/** Reads files: HCL, JSON and compose, told apart by their names, else by what is in them. */
export function parseDefinitions(
  files: readonly DefinitionFile[],
  input: DefinitionInput,
): ParsedFiles {
  const composeFiles: DefinitionFile[] = [];
  const bodies: Body[] = [];
  const lookUp = (name: string) => input.lookUp(name) ?? input.dotenv?.get(name);
  for (const file of files) {
    if (isCompose(file, lookUp)) composeFiles.push(file);
    else bodies.push(parseUnknown(file.name, file.bytes));
  }
  const first =
    composeFiles.length > 0 ? compose(composeFiles, lookUp) : { groups: [], targets: [] };
  if (bodies.length === 0) return { definition: distinct(first), variables: [] };
  const { definition, variables } = readDefinition(mergedBody(bodies), input, first);
  return { definition: distinct(definition), variables };
}

/** By its name, or since it reads as one. */
function isCompose(file: DefinitionFile, lookUp: (name: string) => string | undefined): boolean {
  const name = file.name.toLowerCase();
  if (/\.ya?ml$/.test(name)) return true;
  if (/\.(?:json|hcl)$/.test(name)) return false;
  try {
    composeDefinition([file], lookUp);
    return true;
  } catch (error) {
    if (!isFault(error)) throw error;
    return false;
  }
}

function compose(
  files: readonly DefinitionFile[],
  lookUp: (name: string) => string | undefined,
): Definition {
  // What one file has wrong is said without more words, as buildx does it.
  for (const file of files) readCompose([file], lookUp);
  try {
    return composeDefinition(files, lookUp);
  } catch (error) {
    if (!isFault(error, "invalid") || /^services\.\S+ /.test(error.message)) throw error;
    throw new Fault("invalid", `failed to parse compose file: ${error.message}`);
  }
}

function parseUnknown(name: string, bytes: Uint8Array): Body {
  if (name.endsWith(".json")) return parseHclFile(bytes, name, "json");
  if (name.endsWith(".hcl")) return parseHclFile(bytes, name, "native");
  try {
    return parseHclFile(bytes, `${name}.hcl`, "native");
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    try {
      return parseHclFile(bytes, `${name}.json`, "json");
    } catch {
      throw error;
    }
  }
}

function distinct({ groups, targets }: Definition): Definition {
  const merged = new Map<string, Target>();
  for (const target of targets) {
    const existing = merged.get(target.name);
    if (existing) mergeTarget(existing, target);
    else merged.set(target.name, target);
  }
  return {
    groups: groups.map((group) => ({ ...group, targets: [...new Set(group.targets)] })),
    targets: [...merged.values()],
  };
}
