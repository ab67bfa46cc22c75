import { Fault, suggest } from "#base";
import type { DebianPackage, PackageIndex } from "./package-index.ts";
import {
  formatGroup,
  formatRelation,
  provisionMeets,
  type Relation,
  type RelationGroup,
} from "./relation.ts";
import { satisfies } from "./version.ts";

/** Packages chosen so far, by name, each with the package that asked for it first. */
type Selection = Map<
  string,
  { readonly chosen: DebianPackage; readonly wantedBy: string | undefined }
>;

interface Need {
  readonly group: RelationGroup;
  readonly by: DebianPackage;
}

interface Failure {
  readonly message: string;
}

interface State {
  readonly selection: Selection;
  readonly needs: Need[];
}

/** Choices tried before giving up; a Debian suite needs as many as there are alternatives in the closure, a few hundred. */
const maxChoices = 20_000;

/**
 * The packages to install so that `roots` and all that they depend on are present beside those of
 * `installed`. As apt does: the candidate version of each name, packages that are chosen already
 * before new ones, else the first alternative that can be installed. Recommends are not followed.
 * Unlike apt's it goes back on a choice that leads nowhere. Unsatisfiable: a Fault with the chain
 * that led there.
 */
export function resolve(
  index: PackageIndex,
  roots: readonly DebianPackage[],
  installed: readonly DebianPackage[] = [],
): DebianPackage[] {
  const state: State = { selection: new Map(), needs: [] };
  for (const chosen of installed) state.selection.set(chosen.name, { chosen, wantedBy: undefined });
  const before = new Set(state.selection.keys());
  for (const root of roots) {
    const failure = select(state, root, undefined);
    if (failure !== undefined) throw unsatisfiable(failure);
  }
  const outcome = new Search(index).solve(state);
  if ("message" in outcome) throw unsatisfiable(outcome);
  return [...outcome.selection.values()]
    .map(({ chosen }) => chosen)
    .filter(({ name }) => !before.has(name));
}

/** The candidate of each name, or the only provider of a virtual one; unknown: a Fault with the nearest name. */
export function findPackages(index: PackageIndex, names: readonly string[]): DebianPackage[] {
  return names.map((name) => {
    const candidate = index.candidate(name);
    if (candidate !== undefined) return candidate;
    const providers = index.providers(name);
    const [only] = providers;
    if (only !== undefined && providers.length === 1) return only;
    throw new Fault("not_found", explainAbsence(index, name, providers), { about: name });
  });
}

function explainAbsence(
  index: PackageIndex,
  name: string,
  providers: readonly DebianPackage[],
): string {
  if (providers.length > 1) {
    const some = providers.slice(0, 8).map((provider) => provider.name);
    return `package ${name} is a virtual one; name one of those that provide it: ${some.join(", ")}`;
  }
  const similar = suggest(name, alike(index.names, name));
  return `package ${name} is not in the suite; ${similar === undefined ? "check its spelling" : `did you mean ${similar}?`}`;
}

/** Distances are computed only for names of nearly the same length. */
function* alike(names: Iterable<string>, name: string): Generator<string> {
  for (const candidate of names) if (Math.abs(candidate.length - name.length) <= 3) yield candidate;
}

function unsatisfiable({ message }: Failure): Fault {
  return new Fault("conflict", `the packages cannot be installed together: ${message}`);
}

class Search {
  #choices = 0;
  readonly #index: PackageIndex;

  constructor(index: PackageIndex) {
    this.#index = index;
  }

  solve(start: State): State | Failure {
    const state = start;
    for (;;) {
      const forced = this.#forced(state);
      if (forced !== undefined) return forced;
      const need = state.needs.shift();
      if (need === undefined) return state;
      if (isMet(state.selection, need.group)) continue;
      const options = this.#options(need.group);
      let first: Failure | undefined;
      for (const option of options) {
        if (++this.#choices > maxChoices)
          return {
            message: `gave up after ${maxChoices} choices, last for ${describe(state, need)}`,
          };
        const trial: State = { selection: new Map(state.selection), needs: [...state.needs] };
        const outcome = select(trial, option, need.by.name) ?? this.solve(trial);
        if (!("message" in outcome)) return outcome;
        first ??= outcome;
      }
      return first ?? this.#missing(state, need);
    }
  }

  /** Takes packages without an alternative, until only real choices are left. */
  #forced(state: State): Failure | undefined {
    const open: Need[] = [];
    for (let need = state.needs.shift(); need !== undefined; need = state.needs.shift()) {
      if (isMet(state.selection, need.group)) continue;
      const options = this.#options(need.group);
      const [only] = options;
      if (only === undefined) return this.#missing(state, need);
      if (options.length > 1) {
        open.push(need);
        continue;
      }
      const failure = select(state, only, need.by.name);
      if (failure !== undefined) return failure;
    }
    state.needs.push(...open);
    return undefined;
  }

  #options(group: RelationGroup): DebianPackage[] {
    const options = new Map<string, DebianPackage>();
    for (const relation of group) {
      const real = this.#index.candidate(relation.name);
      if (real !== undefined && meets(real, relation)) options.set(real.name, real);
      for (const provider of this.#index.providers(relation.name))
        if (meets(provider, relation)) options.set(provider.name, provider);
    }
    return [...options.values()];
  }

  #missing(state: State, need: Need): Failure {
    const reasons = need.group.map((relation) => {
      const found = this.#index.candidate(relation.name);
      return found === undefined
        ? `${relation.name} is not in the suite`
        : `${formatRelation(relation)} is wanted and the suite has ${found.version}`;
    });
    return { message: `${describe(state, need)}, but ${reasons.join(" and ")}` };
  }
}

function select(
  state: State,
  chosen: DebianPackage,
  wantedBy: string | undefined,
): Failure | undefined {
  if (state.selection.has(chosen.name)) return undefined;
  for (const { chosen: other } of state.selection.values()) {
    const clash = conflictBetween(chosen, other) ?? conflictBetween(other, chosen);
    if (clash !== undefined) {
      const who =
        wantedBy === undefined ? "" : ` (${chain(state.selection, wantedBy)} needs ${chosen.name})`;
      return { message: `${clash}${who}` };
    }
  }
  state.selection.set(chosen.name, { chosen, wantedBy });
  for (const group of [...chosen.preDepends, ...chosen.depends])
    state.needs.push({ group, by: chosen });
  return undefined;
}

function conflictBetween(one: DebianPackage, other: DebianPackage): string | undefined {
  for (const [relation] of one.conflicts) {
    if (relation === undefined || one.name === other.name || !meets(other, relation)) continue;
    const via = relation.name === other.name ? "" : ` (which provides ${relation.name})`;
    return `${one.name} ${one.version} conflicts with ${other.name} ${other.version}${via}`;
  }
  return undefined;
}

function isMet(selection: Selection, group: RelationGroup): boolean {
  return group.some((relation) => {
    const named = selection.get(relation.name);
    if (named !== undefined && meets(named.chosen, relation)) return true;
    for (const { chosen } of selection.values())
      if (chosen.provides.length > 0 && meets(chosen, relation)) return true;
    return false;
  });
}

/** Whether a package, by its name or by one that it provides, satisfies a relation. */
export function meets(candidate: DebianPackage, relation: Relation): boolean {
  if (candidate.name === relation.name) {
    const { qualifier, version } = relation;
    const native = qualifier === undefined || qualifier === "native";
    const right =
      native ||
      (qualifier === "any"
        ? candidate.multiArch === "allowed"
        : qualifier === candidate.architecture);
    if (
      right &&
      (version === undefined || satisfies(candidate.version, version.relation, version.wanted))
    )
      return true;
  }
  return candidate.provides.some(
    (provision) => provision.name === relation.name && provisionMeets(provision, relation),
  );
}

function describe({ selection }: State, { group, by }: Need): string {
  return `${chain(selection, by.name)} depends on ${formatGroup(group)}`;
}

/** "nginx → libssl3 → libc6": from the package that was asked for to the one in question. */
function chain(selection: Selection, name: string): string {
  const names = [name];
  for (let at = selection.get(name)?.wantedBy; at !== undefined; at = selection.get(at)?.wantedBy) {
    if (names.length > 20 || names.includes(at)) break;
    names.unshift(at);
  }
  return names.join(" → ");
}
