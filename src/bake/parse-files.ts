import { isFault } from "#base";
import { type Body, mergedBody, parseHclFile } from "#hcl";
import { type DefinitionInput, type ListedVariable, readDefinition } from "./definition-reader.ts";
import { type Definition, mergeTarget, type Target } from "./target.ts";

/** A file that defines targets, by the name that messages give it. */
export interface DefinitionFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

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
  const bodies: Body[] = [];
  for (const { name, bytes } of files) bodies.push(parseUnknown(name, bytes));
  const empty: Definition = { groups: [], targets: [] };
  if (bodies.length === 0) return { definition: empty, variables: [] };
  const { definition, variables } = readDefinition(mergedBody(bodies), input, empty);
  return { definition: distinct(definition), variables };
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
