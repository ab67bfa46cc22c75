import { defined } from "#base";
import type { ImageConfig, ImageDefaults } from "#image";

/** One setting that differs; absent on the side that does not have it. */
export interface ConfigChange {
  /** "Cmd", "Env.PATH", "Labels.version", "architecture". */
  readonly field: string;
  /** Lists and objects as JSON. */
  readonly from?: string;
  readonly to?: string;
}

/** The differences in how two images are run; times and history are left out. */
export function compareConfigs(from: ImageConfig, to: ImageConfig): ConfigChange[] {
  const before = settings(from);
  const after = settings(to);
  const fields = [...new Set([...before.keys(), ...after.keys()])].sort();
  return fields.flatMap((field) => {
    const [old, current] = [before.get(field), after.get(field)];
    if (old === current) return [];
    return [
      {
        field,
        ...defined({ from: old, to: current }),
      },
    ];
  });
}

function settings(image: ImageConfig): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const { architecture, os, variant, author, config = {} } = image;
  for (const [field, value] of Object.entries({ architecture, os, variant, author })) {
    if (value !== undefined) found.set(field, value);
  }
  const { Env, Labels, ExposedPorts, Volumes, ...rest } = config;
  for (const each of Env ?? []) {
    const equals = each.indexOf("=");
    const name = equals < 0 ? each : each.slice(0, equals);
    found.set(`Env.${name}`, equals < 0 ? "" : each.slice(equals + 1));
  }
  for (const [key, value] of Object.entries(Labels ?? {})) found.set(`Labels.${key}`, value);
  for (const key of Object.keys(ExposedPorts ?? {})) found.set(`ExposedPorts.${key}`, "");
  for (const key of Object.keys(Volumes ?? {})) found.set(`Volumes.${key}`, "");
  for (const [key, value] of Object.entries(rest) as [keyof ImageDefaults, unknown][]) {
    if (isNothing(value)) continue;
    found.set(key, typeof value === "string" ? value : JSON.stringify(value));
  }
  return found;
}

/** Values that mean the same as an absent one. */
function isNothing(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === "" ||
    value === false ||
    (Array.isArray(value) && value.length === 0)
  );
}
