import { Fault, suggest } from "#base";
import type { Mapping, YamlNode } from "#yaml";
import { type Diagnostic, placeOf, printDiagnostic } from "../diagnostic.ts";
import type { Source } from "../documents.ts";

import { composeSchema } from "./compose-schema.ts";
import { mostSpecific, type Problem, validate } from "./validate.ts";

const mostShown = 20;

/**
 * Checks a model against the schema of Compose.
 * @throws Fault whose first line is docker compose's; then come all problems with their places and lines
 */
export function checkSchema(model: Mapping, source: Source, document: YamlNode): void {
  const problems = validate(model, composeSchema);
  const first = mostSpecific(problems);
  if (first === undefined) return;
  const lines = source.text.split("\n");
  const shown = problems
    .slice(0, mostShown)
    .map((problem) => printDiagnostic(diagnose(problem, source.path, document, lines)));
  const more = problems.length - shown.length;
  if (more > 0) shown.push(`and ${more} more`);
  const headline = `validating ${source.path}: ${first.path.join(".")} ${first.message}`;
  throw new Fault("invalid", [headline, ...shown].join("\n"), { about: source.path });
}

function diagnose(
  problem: Problem,
  file: string,
  document: YamlNode,
  lines: readonly string[],
): Diagnostic {
  const { unknown } = problem;
  const path = unknown === undefined ? problem.path : [...problem.path, unknown.key];
  const mark = placeOf(document, path);
  return { file, mark, message: describe(problem), source: lines[mark.line] ?? "" };
}

function describe({ path, message, unknown }: Problem): string {
  if (unknown === undefined) return `${path.join(".")} ${message}`;
  const near = suggest(unknown.key, unknown.known);
  const hint = near === undefined ? "" : `; did you mean "${near}"?`;
  return `unknown key "${unknown.key}"${hint}`;
}
