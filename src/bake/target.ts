import type { AttestEntry, CacheEntry, OutputEntry, SecretEntry, SshEntry } from "./entries.ts";

/** Texts by name; null for a name that is given without a value. */
export type Texts = Map<string, string | null>;

/** A target, as far as it is defined: what is undefined is left to what it inherits. */
export interface Target {
  name: string;
  description?: string;
  inherits?: string[];
  annotations?: string[];
  attest?: AttestEntry[];
  context?: string;
  contexts?: Map<string, string>;
  dockerfile?: string;
  dockerfileInline?: string;
  args?: Texts;
  labels?: Texts;
  tags?: string[];
  cacheFrom?: CacheEntry[];
  cacheTo?: CacheEntry[];
  target?: string;
  secrets?: SecretEntry[];
  ssh?: SshEntry[];
  platforms?: string[];
  outputs?: OutputEntry[];
  pull?: boolean;
  noCache?: boolean;
  network?: string;
  noCacheFilter?: string[];
  shmSize?: string;
  ulimits?: string[];
  call?: string;
  entitlements?: string[];
  extraHosts?: Texts;
  /** Built only since another target is linked to it. */
  isLinked?: boolean;
}

/** Targets under one name. */
export interface Group {
  name: string;
  description?: string;
  targets: string[];
  /** Compose files without a service that is built: the list is null where it is printed. */
  isUnset?: boolean;
}

/** What files define, before anything is inherited. */
export interface Definition {
  groups: Group[];
  targets: Target[];
}

/** A target under another name, or as a base: no list or map is shared. */
export function copyTarget(target: Target): Target {
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(target)) {
    if (value instanceof Map) copy[key] = new Map(value);
    else copy[key] = Array.isArray(value) ? [...value] : value;
  }
  return copy as unknown as Target;
}

function joined<T>(
  first: readonly T[] | undefined,
  added: readonly T[] | undefined,
): T[] | undefined {
  return added === undefined ? first && [...first] : [...(first ?? []), ...added];
}

function overlaid<T>(
  first: ReadonlyMap<string, T> | undefined,
  added: ReadonlyMap<string, T> | undefined,
): Map<string, T> | undefined {
  const known = [...(added ?? [])].filter(([, value]) => value !== null);
  if (known.length === 0) return first && new Map(first);
  return new Map([...(first ?? []), ...known]);
}

/** Lays a target over another one: lists of names are joined or replaced, as buildx does it for each. */
export function mergeTarget(onto: Target, added: Target): void {
  const { name } = onto;
  const base = { ...onto };
  const set = Object.entries(added).filter(([, value]) => value !== undefined && value !== "");
  // Texts and lists that are not joined below are replaced, empty texts of pointers as well.
  for (const [key, value] of Object.entries(added))
    if (value !== undefined) Object.assign(onto, { [key]: value });
  if (!set.some(([key]) => key === "description")) assign(onto, "description", base.description);
  assign(onto, "args", overlaid(base.args, added.args));
  assign(onto, "labels", overlaid(base.labels, added.labels));
  assign(onto, "extraHosts", overlaid(base.extraHosts, added.extraHosts));
  assign(onto, "contexts", overlaid(base.contexts, added.contexts));
  assign(onto, "annotations", joined(base.annotations, added.annotations));
  assign(onto, "attest", joined(base.attest, added.attest));
  assign(onto, "secrets", joined(base.secrets, added.secrets));
  assign(onto, "ssh", joined(base.ssh, added.ssh));
  assign(onto, "cacheFrom", joined(base.cacheFrom, added.cacheFrom));
  assign(onto, "noCacheFilter", joined(base.noCacheFilter, added.noCacheFilter));
  assign(onto, "ulimits", joined(base.ulimits, added.ulimits));
  assign(onto, "entitlements", joined(base.entitlements, added.entitlements));
  assign(onto, "inherits", joined(base.inherits, added.inherits));
  onto.name = name;
}

/** Sets a property, or takes it away. */
export function assign<K extends keyof Target>(
  target: Target,
  key: K,
  value: Target[K] | undefined,
): void {
  if (value === undefined) delete target[key];
  else target[key] = value;
}
