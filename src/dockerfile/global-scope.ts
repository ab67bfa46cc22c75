import type { StepBudget } from "#base";
import { formatPlatform, type Platform } from "#image";
import { Environment } from "./environment.ts";
import { type Expansion, expand } from "./expand.ts";
import { type LineRange, located } from "./fault.ts";
import type { Dockerfile } from "./instruction.ts";

/** What a build is asked for, beside its Dockerfile. */
export interface BuildRequest {
  readonly buildArgs: ReadonlyMap<string, string>;
  /** A stage's name; absent: the last one. */
  readonly target?: string;
  readonly buildPlatform: Platform;
  readonly targetPlatform: Platform;
}

/** A variable that ARG declares, for people who want to set it. */
export interface DeclaredArgument {
  readonly name: string;
  readonly value: string;
  readonly description?: string;
  readonly range: LineRange;
  /** Variables that its default refers to. */
  readonly uses: ReadonlySet<string>;
}

/** The variables that FROM sees: those that are predefined, and ARG before the first stage. */
export interface GlobalScope {
  readonly variables: Environment;
  readonly declared: ReadonlyMap<string, DeclaredArgument>;
}

/** The global variables of a build; `invalid` when a default cannot be expanded. */
export function globalScope(
  file: Dockerfile,
  request: BuildRequest,
  budget: StepBudget,
): GlobalScope {
  const variables = predefined(file, request);
  const declared = new Map<string, DeclaredArgument>();
  for (const { declared: names, range } of file.globalArguments) {
    for (const { name, value, description } of names) {
      const given = request.buildArgs.get(name);
      const expanded: Pick<Expansion, "text" | "used"> | undefined =
        given !== undefined
          ? { text: given, used: new Set() }
          : value === undefined
            ? undefined
            : located(range, () => expand(value, variables, { escape: file.escape, budget }));
      if (expanded) variables.set(name, expanded.text);
      declared.set(name, {
        name,
        value: expanded?.text ?? "",
        ...(description === undefined ? {} : { description }),
        range,
        uses: expanded?.used ?? new Set(),
      });
    }
  }
  return { variables, declared };
}

/** The arguments that need no declaration in FROM (docs.docker.com/reference/dockerfile). */
function predefined(file: Dockerfile, request: BuildRequest): Environment {
  const { buildPlatform, targetPlatform, buildArgs, target } = request;
  const values: Record<string, string> = {
    BUILDPLATFORM: formatPlatform(buildPlatform),
    BUILDOS: buildPlatform.os,
    BUILDOSVERSION: "",
    BUILDARCH: buildPlatform.architecture,
    BUILDVARIANT: buildPlatform.variant ?? "",
    TARGETPLATFORM: formatPlatform(targetPlatform),
    TARGETOS: targetPlatform.os,
    TARGETOSVERSION: "",
    TARGETARCH: targetPlatform.architecture,
    TARGETVARIANT: targetPlatform.variant ?? "",
    TARGETSTAGE: target || file.stages.at(-1)?.name || "default",
  };
  const variables = new Environment();
  for (const [name, value] of Object.entries(values)) {
    variables.set(name, buildArgs.get(name) ?? value);
  }
  return variables;
}
