import { Fault } from "#base";
import { Float, isMapping, type Mapping, type Value } from "#yaml";
import { toBoolean, toFloat, toInteger } from "./cast.ts";
import { enter, type Path, PathTable, type Place, pathText, valueAt } from "./path.ts";
import { substitute, TemplateError } from "./template.ts";

type Cast = "boolean" | "int" | "int64" | "float" | "late boolean";

const casts = new PathTable<Cast>({
  ...services("int", [
    "deploy.replicas",
    "deploy.update_config.parallelism",
    "deploy.rollback_config.parallelism",
    "deploy.restart_policy.max_attempts",
    "deploy.placement.max_replicas_per_node",
    "healthcheck.retries",
    "ports.*.target",
    "scale",
    "ulimits.*",
    "ulimits.*.hard",
    "ulimits.*.soft",
  ]),
  ...services("int64", [
    "cpu_count",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "oom_score_adj",
    "pids_limit",
  ]),
  ...services("float", [
    "cpu_percent",
    "cpus",
    "deploy.update_config.max_failure_ratio",
    "deploy.rollback_config.max_failure_ratio",
  ]),
  ...services("boolean", [
    "healthcheck.disable",
    "init",
    "oom_kill_disable",
    "privileged",
    "read_only",
    "stdin_open",
    "tty",
    "volumes.*.read_only",
    "volumes.*.volume.nocopy",
  ]),
  ...services("late boolean", [
    "attach",
    "build.no_cache",
    "build.privileged",
    "build.pull",
    "depends_on.*.restart",
    "env_file.*.required",
    "post_start.*.privileged",
    "pre_stop.*.privileged",
    "volumes.*.bind.create_host_path",
  ]),
  "networks.*.external": "boolean",
  "networks.*.internal": "boolean",
  "networks.*.attachable": "boolean",
  "networks.*.enable_ipv4": "late boolean",
  "networks.*.enable_ipv6": "boolean",
  "volumes.*.external": "boolean",
  "secrets.*.external": "boolean",
  "configs.*.external": "boolean",
});

function services(cast: Cast, keys: readonly string[]): Record<string, Cast> {
  return Object.fromEntries(keys.map((key) => [`services.*.${key}`, cast]));
}

/** A value whose variables cannot be replaced, and its place in the document, lists by index. */
export class ValueFault extends Fault {
  readonly place: Path;

  constructor(message: string, place: Path) {
    super("invalid", message, { about: pathText(place) });
    this.place = place;
  }
}

interface Environment {
  readonly lookup: (name: string) => string | undefined;
  readonly warn: (message: string) => void;
}

/** Said once for each variable and place where one is missing. */
export const unsetWarning = (name: string) =>
  `The "${name}" variable is not set. Defaulting to a blank string.`;

/**
 * A model with its variables replaced in values, never in keys, and texts turned into the numbers and
 * booleans that their places want.
 * @throws Fault naming the place, as docker compose does
 */
export function interpolate(model: Mapping, environment: Environment): Mapping {
  interpolateParts(model, { path: [], exact: [], place: casts.root }, environment);
  return model;
}

interface Where {
  readonly path: Path;
  /** As `path`, with the indexes of lists. */
  readonly exact: Path;
  readonly place: Place<Cast>;
}

const within = ({ path, exact, place }: Where, part: string, index = part): Where => ({
  path: [...path, part],
  exact: [...exact, index],
  place: enter(place, part),
});

function interpolateParts(mapping: Mapping, where: Where, environment: Environment): void {
  for (const [key, value] of mapping) {
    if (typeof value === "string") {
      if (isConcerned(value, where, key)) {
        mapping.set(key, interpolateText(value, within(where, key), environment));
      }
    } else if (isMapping(value)) interpolateParts(value, within(where, key), environment);
    else if (Array.isArray(value)) interpolateItems(value, within(where, key), environment);
  }
}

function interpolateItems(items: Value[], where: Where, environment: Environment): void {
  for (const [i, item] of items.entries()) {
    if (typeof item === "string") {
      if (isConcerned(item, where, "[]")) {
        items[i] = interpolateText(item, within(where, "[]", String(i)), environment);
      }
    } else if (isMapping(item)) {
      interpolateParts(item, within(where, "[]", String(i)), environment);
    } else if (Array.isArray(item)) {
      interpolateItems(item, within(where, "[]", String(i)), environment);
    }
  }
}

/** Most texts hold no variable, and stand where texts are wanted. */
const isConcerned = (text: string, { place }: Where, part: string) =>
  text.includes("$") || (place.length > 0 && valueAt(enter(place, part)) !== undefined);

function interpolateText(text: string, where: Where, { lookup, warn }: Environment): Value {
  const replaced = replace(text, where, { lookup, unset: (name) => warn(unsetWarning(name)) });
  const cast = valueAt(where.place);
  if (cast === undefined) return replaced;
  try {
    return castTo(cast, replaced, warn);
  } catch (error) {
    if (cast === "late boolean") return replaced;
    const problem = `failed to cast to expected type: ${(error as Error).message}`;
    const message = `error while interpolating ${pathText(where.path)}: ${problem}`;
    throw new ValueFault(message, where.exact);
  }
}

function replace(
  text: string,
  { path, exact }: Where,
  substitution: Parameters<typeof substitute>[1],
): string {
  try {
    return substitute(text, substitution);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const place = pathText(path);
    const message = error.isMissing
      ? `error while interpolating ${place}: ${error.message}`
      : `invalid interpolation format for ${place}.\nYou may need to escape any $ with another $.\n${error.message}`;
    throw new ValueFault(message, exact);
  }
}

function castTo(cast: Cast, text: string, warn: (message: string) => void): Value {
  switch (cast) {
    case "int":
      return toInteger(text);
    case "int64":
      return toInteger(text, "ParseInt");
    case "float":
      return new Float(toFloat(text));
    default:
      return toBoolean(text, warn);
  }
}
