import { Fault, isFault, parseBool } from "#base";
import {
  type OutputEntry,
  parseAttest,
  parseCache,
  parseOutput,
  parseSecret,
  parseSsh,
} from "./entries.ts";
import { matchesPattern } from "./name-pattern.ts";
import type { Definition, Target } from "./target.ts";

/** What is set for one key of one target. */
export interface Override {
  value: string;
  values: string[];
  isAppended: boolean;
}

/** By target and key, as "args.NAME". */
export type Overrides = ReadonlyMap<string, Map<string, Override>>;

const listKeys = new Set(
  "output cache-to cache-from tags platform secrets ssh attest entitlements network annotations".split(
    " ",
  ),
);

function refuse(message: string): never {
  throw new Fault("invalid", message);
}

interface OverrideSource {
  readonly overrides: readonly string[];
  lookUp(name: string): string | undefined;
}

/** `--set` options, each of them for the targets that its pattern matches. */
export function parseOverrides(
  definition: Definition,
  { overrides, lookUp }: OverrideSource,
): Overrides {
  const parsed = new Map<string, Map<string, Override>>();
  for (const text of overrides) {
    const equals = text.indexOf("=");
    const given = equals < 0 ? text : text.slice(0, equals);
    const value = equals < 0 ? undefined : text.slice(equals + 1);
    const isAppended = given.endsWith("+");
    const path = given.replace(/\+$/, "");
    const [pattern = "", key, ...names] = path.split(".");
    if (key === undefined) refuse(`invalid override key ${path}, expected target.name`);
    if (value === undefined && key !== "args")
      refuse(`invalid override ${text}, expected target.name=value`);
    const full = [key, ...names].join(".");
    for (const name of matchingTargets(definition, pattern)) {
      const own = parsed.get(name) ?? new Map<string, Override>();
      parsed.set(name, own);
      const before = own.get(full) ?? { value: "", values: [], isAppended: false };
      if (listKeys.has(key)) {
        own.set(full, { ...before, isAppended, values: [...before.values, value ?? ""] });
        continue;
      }
      if ((key === "args" || key === "contexts") && names.length === 0) {
        refuse(`invalid key ${given}, ${key} requires name`);
      }
      const found = value ?? lookUp(names.join("."));
      if (found !== undefined) own.set(full, { ...before, value: found });
    }
  }
  return parsed;
}

function matchingTargets({ targets }: Definition, pattern: string): readonly string[] {
  const names = targets.map(({ name }) => name);
  if (names.includes(pattern)) return [pattern];
  const found = names.filter((name) => matchesPattern(pattern, name));
  return found.length > 0 ? found : refuse(`could not find any target matching '${pattern}'`);
}

type Setter = (target: Target, override: Override, name: string | undefined) => void;

function added<T>(
  before: readonly T[] | undefined,
  values: readonly T[],
  { isAppended }: Override,
): T[] {
  return isAppended ? [...(before ?? []), ...values] : [...values];
}

function present(values: readonly string[]): string[] {
  return values.filter((value) => value !== "");
}

function wrapped<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    return refuse(`invalid value for ${what}: ${error.message}`);
  }
}

function flag(key: string, { value }: Override): boolean {
  try {
    return parseBool(value);
  } catch (error) {
    if (!isFault(error)) throw error;
    return refuse(`invalid value ${value} for boolean key ${key}`);
  }
}

function named(
  key: string,
  what: string,
  action: (target: Target, name: string, value: string) => void,
): Setter {
  return (target, { value }, name) => {
    if (name === undefined)
      refuse(
        `invalid format for ${key}, expecting ${key}.<${what}>=<${what === "hostname" ? "ip" : "value"}>`,
      );
    action(target, name, value);
  };
}

const setters: Readonly<Record<string, Setter>> = {
  context: (target, { value }) => {
    target.context = value;
  },
  dockerfile: (target, { value }) => {
    target.dockerfile = value;
  },
  args: named("args", "name", (target, name, value) => {
    target.args = new Map([...(target.args ?? []), [name, value]]);
  }),
  contexts: named("contexts", "name", (target, name, value) => {
    target.contexts = new Map([...(target.contexts ?? []), [name, value]]);
  }),
  labels: named("labels", "name", (target, name, value) => {
    target.labels = new Map([...(target.labels ?? []), [name, value]]);
  }),
  "extra-hosts": named("extra-hosts", "hostname", (target, name, value) => {
    target.extraHosts = new Map([...(target.extraHosts ?? []), [name, value]]);
  }),
  tags: (target, override) => {
    target.tags = added(target.tags, override.values, override);
  },
  "cache-from": (target, override) => {
    target.cacheFrom = added(target.cacheFrom, override.values.flatMap(parseCache), override);
  },
  "cache-to": (target, override) => {
    target.cacheTo = added(target.cacheTo, override.values.flatMap(parseCache), override);
  },
  target: (target, { value }) => {
    target.target = value;
  },
  call: (target, { value }) => {
    target.call = value;
  },
  secrets: (target, override) => {
    const secrets = wrapped("outputs", () => present(override.values).map(parseSecret));
    target.secrets = added(target.secrets, secrets, override);
  },
  ssh: (target, override) => {
    target.ssh = added(target.ssh, present(override.values).map(parseSsh), override);
  },
  platform: (target, override) => {
    target.platforms = added(target.platforms, override.values, override);
  },
  output: (target, override) => {
    const outputs = wrapped("outputs", () => present(override.values).map(parseOutput));
    target.outputs = added(target.outputs, outputs, override);
  },
  entitlements: (target, { values }) => {
    target.entitlements = [...(target.entitlements ?? []), ...values];
  },
  annotations: (target, { values }) => {
    target.annotations = [...(target.annotations ?? []), ...values];
  },
  attest: (target, { values }) => {
    const attest = wrapped("attest", () => present(values).map(parseAttest));
    target.attest = [...(target.attest ?? []), ...attest];
  },
  "no-cache": (target, override) => {
    target.noCache = flag("no-cache", override);
  },
  "no-cache-filter": (target, override) => {
    target.noCacheFilter = added(target.noCacheFilter, override.values, override);
  },
  "shm-size": (target, { value }) => {
    target.shmSize = value;
  },
  ulimits: (target, override) => {
    target.ulimits = added(target.ulimits, override.values, override);
  },
  network: (target, { value }) => {
    target.network = value;
  },
  pull: (target, override) => {
    target.pull = flag("pull", override);
  },
  push: (target, override) => {
    target.outputs = pushed(target.outputs ?? [], flag("push", override));
  },
  load: (target, override) => {
    if (flag("load", override)) target.outputs = loaded(target.outputs ?? []);
  },
};

/** Sets what is set for a target, over all that it inherits. */
export function applyOverrides(target: Target, overrides: ReadonlyMap<string, Override>): void {
  for (const [key, override] of overrides) {
    const dot = key.indexOf(".");
    const field = dot < 0 ? key : key.slice(0, dot);
    const setter = Object.hasOwn(setters, field) ? setters[field] : undefined;
    if (!setter) refuse(`unknown key: ${field}`);
    setter(target, override, dot < 0 ? undefined : key.slice(dot + 1));
  }
}

function withPush(output: OutputEntry, push: boolean): OutputEntry {
  return output.type === "image"
    ? { ...output, options: new Map([...output.options, ["push", String(push)]]) }
    : output;
}

/** The outputs, all pushed or none; an image that is pushed is added where all others stay on the machine. */
function pushed(outputs: readonly OutputEntry[], isPushed: boolean): OutputEntry[] {
  const kept = isPushed ? outputs : outputs.filter(({ type }) => type !== "registry");
  const shown = kept.map((output) => withPush(output, isPushed));
  if (!isPushed || !outputs.every(({ type }) => type === "docker")) return shown;
  return [...shown, { type: "image", options: new Map([["push", "true"]]), destination: "" }];
}

function loaded(outputs: readonly OutputEntry[]): OutputEntry[] {
  const isOwn = outputs.some(({ type, destination }) => type === "docker" && destination === "");
  const isKept = outputs.every(({ type }) => /^(?:docker|image|registry|oci)$/.test(type));
  if (isOwn || !isKept) return [...outputs];
  return [...outputs, { type: "docker", options: new Map(), destination: "" }];
}
