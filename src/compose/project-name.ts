import { posix } from "node:path";
import { Fault } from "#base";
import type { YamlNode } from "#yaml";
import { nodesOf, type Source } from "./documents.ts";
import { interpolate } from "./interpolate.ts";
import type { Lookup } from "./template.ts";

interface NameRequest {
  /** The name of the command line. */
  readonly given: string | undefined;
  readonly environment: ReadonlyMap<string, string>;
  readonly directory: string;
  readonly isInterpolated: boolean;
  readonly warn: (message: string) => void;
}

/** A name of a project has small letters, digits, "-" and "_", and begins with a letter or a digit. */
function normalizeName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, "")
    .replace(/^[_-]+/, "");
}

/**
 * The name of a project: that of the command line, of COMPOSE_PROJECT_NAME, of the last file that has
 * one, or of the directory.
 * @throws Fault when it is not a name
 */
export function projectName(sources: readonly Source[], request: NameRequest): string {
  const { given, environment } = request;
  if (given !== undefined && given !== "") return checkName(given);
  const fromFile = nameInFiles(sources);
  const variable = environment.get("COMPOSE_PROJECT_NAME");
  if (variable !== undefined && variable !== "") return checkName(variable);
  const fallback = fromFile.isNamed ? "" : normalizeName(posix.basename(request.directory));
  if (fromFile.name === "") return fallback;
  const lookup: Lookup = (name) => environment.get(name);
  const name = request.isInterpolated
    ? interpolate(new Map([["name", fromFile.name]]), { lookup, warn: request.warn }).get("name")
    : fromFile.name;
  return normalizeName(String(name)) || fallback;
}

function checkName(name: string): string {
  if (normalizeName(name) === name) return name;
  throw new Fault(
    "invalid",
    `invalid project name "${name}": must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number`,
  );
}

function nameInFiles(sources: readonly Source[]): { name: string; isNamed: boolean } {
  let name = "";
  for (const source of sources) {
    for (const root of nodesOf(source)) {
      const found = nameOf(root);
      if (found !== "") name = found;
    }
  }
  return { name, isNamed: name !== "" };
}

/** go-yaml reads just the name at first, and tells when the document is no mapping. */
function nameOf(root: YamlNode): string {
  const line = `line ${root.mark.line + 1}`;
  const refuse = (what: string) =>
    new Fault(
      "invalid",
      `yaml: unmarshal errors:\n  ${line}: cannot unmarshal ${what} into cli.named`,
    );
  if (root.kind === "sequence") throw refuse("!!seq");
  if (root.kind === "scalar" && root.text !== "")
    throw refuse(`!!str \`${root.text.slice(0, 10)}${root.text.length > 10 ? "..." : ""}\``);
  if (root.kind !== "mapping") return "";
  const pair = root.pairs.find(([key]) => key.kind === "scalar" && key.text === "name");
  const value = pair?.[1];
  return value?.kind === "scalar" && !["~", "null"].includes(value.text) ? value.text : "";
}
