import { Fault } from "#base";
import { distinctAttests, distinctEntries } from "./entries.ts";
import { matchesPattern } from "./name-pattern.ts";
import { applyOverrides, type Overrides, parseOverrides } from "./override.ts";
import {
  assign,
  copyTarget,
  type Definition,
  type Group,
  mergeTarget,
  type Target,
} from "./target.ts";

/** The targets that are built, and the groups that led to them, by name. */
export interface ResolvedTargets {
  readonly targets: ReadonlyMap<string, Target>;
  readonly groups: ReadonlyMap<string, Group>;
}

/** What is asked of a definition. */
export interface TargetRequest {
  /** Names and patterns of targets and groups. */
  readonly names: readonly string[];
  /** `--set`: "PATTERN.KEY=VALUE". */
  readonly overrides: readonly string[];
  /** A variable of the environment, for `--set PATTERN.args.NAME` without a value. */
  lookUp(name: string): string | undefined;
}

/** The targets of a request, with all that they inherit and that is set for them; linked ones as well. */
export function resolveTargets(definition: Definition, request: TargetRequest): ResolvedTargets {
  const names = request.names.flatMap((name) =>
    matchingNames(definition, name.replaceAll(".", "_")),
  );
  const overrides = parseOverrides(definition, request);
  const resolver = new Resolver(definition, overrides);
  return resolver.resolve([...new Set(names)]);
}

function matchingNames({ groups, targets }: Definition, pattern: string): string[] {
  if (!/[*?[\]]/.test(pattern)) return [pattern];
  const names = [...groups, ...targets].map(({ name }) => name);
  const found = names.filter((name) => matchesPattern(pattern, name));
  if (found.length > 0) return found;
  throw new Fault("invalid", `could not find any target matching ${JSON.stringify(pattern)}`);
}

class Resolver {
  readonly #definition: Definition;
  readonly #overrides: Overrides;
  readonly #targets = new Map<string, Target>();
  readonly #groups = new Map<string, Group>();

  constructor(definition: Definition, overrides: Overrides) {
    this.#definition = definition;
    this.#overrides = overrides;
  }

  resolve(names: readonly string[]): ResolvedTargets {
    for (const name of names) {
      const { targets, groups } = this.#membersOf(name, new Map());
      for (const each of new Set(targets)) this.#targets.set(each, this.#resolveTarget(each));
      for (const each of new Set(groups)) {
        const group = this.#definition.groups.find((other) => other.name === each);
        if (group) this.#groups.set(each, { ...group, targets: [...group.targets] });
      }
    }
    this.#addDefault(names);
    for (const name of [...this.#targets.keys()].sort()) this.#link(name, []);
    return { targets: this.#targets, groups: this.#groups };
  }

  /** What is asked for is the group "default", sorted. */
  #addDefault(names: readonly string[]): void {
    for (const name of names) {
      const existing = this.#groups.get("default");
      if (existing && name === "default") continue;
      const group = existing ?? { name: "default", targets: [] };
      group.targets.push(name);
      this.#groups.set("default", group);
    }
    const group = this.#groups.get("default");
    if (group) group.targets = [...new Set(group.targets)].sort();
  }

  #membersOf(
    name: string,
    visited: Map<string, { targets: string[]; groups: string[] }>,
  ): { readonly targets: readonly string[]; readonly groups: readonly string[] } {
    const known = visited.get(name);
    if (known) return known;
    const group = this.#definition.groups.find((each) => each.name === name);
    if (!group) return { targets: [name], groups: [] };
    const members = { targets: [] as string[], groups: [name] };
    // A group within itself has no more members, and no targets, than those that it has by then.
    visited.set(name, { targets: [], groups: [] });
    for (const each of group.targets) {
      const { targets, groups } = this.#membersOf(each, visited);
      members.targets.push(...(targets.length > 0 ? targets : [each]));
      members.groups.push(...groups);
    }
    visited.set(name, members);
    return members;
  }

  #resolveTarget(name: string): Target {
    const target = this.#inherit(name, new Map());
    if (!target) throw new Fault("invalid", `failed to find target ${name}`);
    const resolved = copyTarget(target);
    delete resolved.inherits;
    resolved.context ??= ".";
    if (!resolved.dockerfile) resolved.dockerfile = "Dockerfile";
    return resolved;
  }

  /** The target over all that it inherits; undefined within a cycle of these. */
  #inherit(name: string, visited: Map<string, Target | undefined>): Target | undefined {
    if (visited.has(name)) return visited.get(name);
    visited.set(name, undefined);
    const own = this.#definition.targets.find((each) => each.name === name);
    if (!own) throw new Fault("invalid", `failed to find target ${name}`);
    const merged: Target = { name };
    for (const base of own.inherits ?? []) {
      const inherited = this.#inherit(base, visited);
      if (inherited) mergeTarget(merged, inherited);
    }
    mergeTarget(merged, own);
    applyOverrides(merged, this.#overrides.get(name) ?? new Map());
    normalize(merged);
    visited.set(name, merged);
    return merged;
  }

  /** Targets that a context names are built as well, for nothing but that. */
  #link(name: string, visited: readonly string[]): void {
    const target = this.#targets.get(name);
    if (!target) return;
    const path = [...visited, name];
    for (const value of (target.contexts ?? new Map<string, string>()).values()) {
      if (!value.startsWith("target:")) continue;
      const other = value.slice("target:".length);
      if (other === name) throw new Fault("invalid", `target ${other} cannot link to itself`);
      if (path.includes(other))
        throw new Fault("invalid", `infinite loop from ${name} to ${other}`);
      const linked = this.#targets.get(other) ?? this.#addLinked(other);
      this.#link(other, path);
      const more = (linked.entitlements ?? []).filter(
        (each) => !target.entitlements?.includes(each),
      );
      if (more.length > 0) target.entitlements = [...(target.entitlements ?? []), ...more];
      const [own = [], its = []] = [target.platforms, linked.platforms];
      if (own.length > 1 && its.length > 1 && !own.every((each) => its.includes(each))) {
        throw new Fault(
          "invalid",
          `target ${other} can't be used by ${name} because its platforms [${own.join(" ")}] are not a subset of [${its.join(" ")}]`,
        );
      }
    }
  }

  #addLinked(name: string): Target {
    const target = this.#resolveTarget(name);
    target.outputs = [{ type: "cacheonly", options: new Map(), destination: "" }];
    target.isLinked = true;
    this.#targets.set(name, target);
    return target;
  }
}

function distinctTexts(texts: readonly string[] | undefined): string[] | undefined {
  return texts && [...new Set(texts)].filter((text) => text !== "");
}

function normalize(target: Target): void {
  for (const key of ["annotations", "tags", "platforms", "noCacheFilter", "ulimits"] as const) {
    assign(target, key, distinctTexts(target[key]));
  }
  assign(target, "attest", target.attest && distinctAttests(target.attest));
  assign(target, "secrets", target.secrets && distinctEntries(target.secrets));
  assign(target, "ssh", target.ssh && distinctEntries(target.ssh));
  assign(target, "cacheFrom", target.cacheFrom && distinctEntries(target.cacheFrom));
  assign(target, "cacheTo", target.cacheTo && distinctEntries(target.cacheTo));
  assign(target, "outputs", target.outputs && distinctEntries(target.outputs));
  const entitlements = [
    ...(target.entitlements ?? []),
    ...(target.network === "host" ? ["network.host"] : []),
  ];
  assign(target, "entitlements", entitlements.length > 0 ? distinctTexts(entitlements) : undefined);
  const contexts = [...(target.contexts ?? [])].filter(([, value]) => value !== "");
  assign(target, "contexts", contexts.length > 0 ? new Map(contexts) : undefined);
}
