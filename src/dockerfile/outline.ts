import { type CheckRequest, goThrough } from "./check.ts";
import type { StageChecker, Wanted } from "./check-stage.ts";
import type { LineRange } from "./fault.ts";
import type { DeclaredArgument, GlobalScope } from "./global-scope.ts";
import { parseDockerfile } from "./parse.ts";
import type { ResolvedFile, ResolvedStage } from "./resolve-stages.ts";

/** What can be given to the build of a target. */
export interface Outline {
  /** Of the target; absent where AS is. */
  readonly name?: string;
  readonly description?: string;
  readonly arguments: readonly Pick<DeclaredArgument, "name" | "value" | "description" | "range">[];
  readonly secrets: readonly NamedWant[];
  readonly agents: readonly NamedWant[];
}

/** A secret or an agent by its id. */
export interface NamedWant extends Wanted {
  readonly name: string;
}

/** A stage that can be asked for. */
export interface Target {
  readonly name?: string;
  readonly description?: string;
  /** Built when none is asked for. */
  readonly isDefault: boolean;
  /** As it is written. */
  readonly base: string;
  readonly platform?: string;
  readonly range: LineRange;
}

/** The stages of a Dockerfile as targets, in order. */
export function listTargets(text: string): Target[] {
  const { stages } = parseDockerfile(text);
  return stages.map((stage, index) => ({
    ...(stage.name === undefined ? {} : { name: stage.name }),
    ...(stage.description === undefined ? {} : { description: stage.description }),
    isDefault: index === stages.length - 1,
    base: stage.base,
    ...(stage.platform === undefined ? {} : { platform: stage.platform }),
    range: stage.range,
  }));
}

/** The arguments, secrets and agents that the target and the stages that it needs make use of, in the order of their lines. */
export function outline(text: string, request: CheckRequest): Outline {
  const { resolved, checkers } = goThrough(text, request, {});
  const needed = neededBy(resolved.target, checkers);
  const { name, description } = resolved.target.stage;
  return {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    arguments: usedArguments(needed, resolved),
    secrets: merged(needed.map(({ secrets }) => secrets)),
    agents: merged(needed.map(({ agents }) => agents)),
  };
}

function neededBy(
  target: ResolvedStage,
  checkers: ReadonlyMap<ResolvedStage, StageChecker>,
): StageChecker[] {
  const found = new Set<ResolvedStage>([target]);
  for (const stage of found) {
    if (stage.base.kind === "stage") found.add(stage.base.stage);
    for (const source of stage.dependencies.keys()) found.add(source);
  }
  return [...found].flatMap((stage) => checkers.get(stage) ?? []);
}

function usedArguments(
  needed: readonly StageChecker[],
  { globals }: ResolvedFile,
): Outline["arguments"] {
  const found = new Map<string, DeclaredArgument>();
  for (const { scope } of needed) {
    for (const name of withUses(scope.usedArguments, globals)) {
      const argument = scope.declared.get(name) ?? globals.declared.get(name);
      if (argument && !found.has(name)) found.set(name, argument);
    }
  }
  return inOrder([...found.values()]);
}

/** The names, and those of global arguments that their defaults refer to. */
function withUses(names: ReadonlySet<string>, { declared }: GlobalScope): Set<string> {
  const all = new Set(names);
  for (const name of all) for (const used of declared.get(name)?.uses ?? []) all.add(used);
  return all;
}

function merged(wanted: readonly ReadonlyMap<string, Wanted>[]): NamedWant[] {
  const found = new Map<string, NamedWant>();
  for (const [name, want] of wanted.flatMap((each) => [...each])) {
    if (!found.has(name)) found.set(name, { name, ...want });
  }
  return inOrder([...found.values()]);
}

function inOrder<T extends { readonly range: LineRange }>(items: T[]): T[] {
  return items.toSorted((a, b) => a.range.start - b.range.start);
}
