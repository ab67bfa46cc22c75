import { defined } from "#base";
import { satisfies, type VersionRelation } from "./version.ts";

/** One name in a dependency: `libc6:any (>= 2.36)`. */
export interface Relation {
  readonly name: string;
  /** "any", "native" or an architecture. */
  readonly qualifier?: string;
  readonly version?: { readonly relation: VersionRelation; readonly wanted: string };
}

/** Alternatives, any of which will do: `default-mta | mail-transport-agent`. */
export type RelationGroup = readonly Relation[];

export interface Provision {
  readonly name: string;
  /** Only a versioned provision satisfies a versioned dependency. */
  readonly version?: string;
}

const pattern =
  /^([a-zA-Z0-9][a-zA-Z0-9+.-]*)(?::([a-z0-9-]+))?(?:\s*\(\s*(<<|<=|=|>=|>>|<|>)\s*([^\s)]+)\s*\))?(?:\s*\[[^\]]*\])?(?:\s*<[^>]*>)*$/;

/**
 * A dependency field (Debian Policy 7.1). A part that cannot be read becomes a name that no package
 * has, so that it is reported when it matters.
 */
export function parseRelations(field: string): RelationGroup[] {
  const groups: RelationGroup[] = [];
  for (const part of field.split(",")) {
    const text = part.trim();
    if (text !== "") groups.push(text.split("|").map((name) => parseRelation(name.trim())));
  }
  return groups;
}

/**
 * One alternative of a relation: "libc6:any (>= 2.36)" (deb-control(5)). Text of another form is
 * taken as a name.
 */
export function parseRelation(text: string): Relation {
  const match = pattern.exec(text);
  if (!match) return { name: text };
  const [, name = text, qualifier, operator, wanted] = match;
  return {
    name,
    ...defined({ qualifier }),
    ...(operator === undefined || wanted === undefined
      ? {}
      : { version: { relation: modern(operator), wanted } }),
  };
}

/** `<` and `>` are the old spellings of `<=` and `>=`. */
function modern(operator: string): VersionRelation {
  return (operator === "<" ? "<=" : operator === ">" ? ">=" : operator) as VersionRelation;
}

/** The names that a package provides (deb-control(5), "Provides"); only "=" gives one a version. */
export function parseProvides(field: string): Provision[] {
  return parseRelations(field).flatMap((group) =>
    group.map(({ name, version }) =>
      version?.relation === "=" ? { name, version: version.wanted } : { name },
    ),
  );
}

/** As it is written in a control file. */
export function formatRelation({ name, qualifier, version }: Relation): string {
  const suffix = version === undefined ? "" : ` (${version.relation} ${version.wanted})`;
  return `${name}${qualifier === undefined ? "" : `:${qualifier}`}${suffix}`;
}

/** Alternatives as a control file has them: "a | b (>= 1)". */
export function formatGroup(group: RelationGroup): string {
  return group.map(formatRelation).join(" | ");
}

/** Whether a provision under the relation's name meets its version. */
export function provisionMeets(provision: Provision, relation: Relation): boolean {
  if (relation.version === undefined) return true;
  if (provision.version === undefined) return false;
  return satisfies(provision.version, relation.version.relation, relation.version.wanted);
}
