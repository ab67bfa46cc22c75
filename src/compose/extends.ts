import { posix } from "node:path";
import { Fault } from "#base";
import { isMapping, type Mapping, type Value } from "#yaml";
import type { LoadOptions } from "./load.ts";
import { mergeService } from "./merge.ts";
import { applyResets, type Resets } from "./reset.ts";
import { cloneMapping } from "./value.ts";

/** Loads the model of a file that is extended. */
type LoadBase = (
  path: string,
  reference: string,
  options: LoadOptions,
) => { model: Mapping; resets: Resets };

interface ExtendOptions extends LoadOptions {
  readonly root: string;
  readonly loadBase: LoadBase;
}

/** The services that led here by "extends", to find cycles. */
export class ExtendsTrail {
  private readonly steps: readonly (readonly [file: string, service: string])[];

  constructor(steps: readonly (readonly [string, string])[] = []) {
    this.steps = steps;
  }

  /** @throws Fault when the service is among the steps already */
  to(file: string, service: string): ExtendsTrail {
    const step = [file, service] as const;
    if (!this.steps.some(([f, s]) => f === file && s === service)) {
      return new ExtendsTrail([...this.steps, step]);
    }
    const lines = [...this.steps, step].map(
      ([f, s], i) => `  ${i === 0 ? "" : "extends "}${s} in ${f}`,
    );
    throw new Fault("invalid", ["Circular reference:", ...lines].join("\n"));
  }
}

/** Lays each service of a model over the one that it extends. */
export function applyExtends(
  model: Mapping,
  file: string,
  options: ExtendOptions,
  trail: ExtendsTrail,
  resets: readonly Resets[],
): void {
  const services = model.get("services");
  if (services === undefined) return;
  if (!isMapping(services)) throw new Fault("invalid", "services must be a mapping");
  for (const name of services.keys()) {
    services.set(name, extendService({ name, services, file, trail, resets }, options));
  }
}

interface Extension {
  readonly name: string;
  readonly services: Mapping;
  readonly file: string;
  readonly trail: ExtendsTrail;
  readonly resets: readonly Resets[];
}

function extendService(extension: Extension, options: ExtendOptions): Value {
  const { name, services, file } = extension;
  const service = services.get(name) ?? null;
  if (service === null) return null;
  if (!isMapping(service)) throw new Fault("invalid", `services.${name} must be a mapping`);
  const extended = service.get("extends");
  if (extended === undefined) return service;
  const { reference, from } = readExtends(extended, name);
  const base = from === undefined ? undefined : loadServices(extension, reference, from, options);
  if (base === undefined && !services.has(reference)) {
    const problem = `cannot extend service "${name}" in ${file}: service "${reference}" not found`;
    throw new Fault("invalid", problem);
  }
  const resets = base === undefined ? extension.resets : [...extension.resets, base.resets];
  const value = extendService(
    {
      name: reference,
      services: base?.services ?? services,
      file,
      trail: extension.trail.to(from ?? file, name),
      resets,
    },
    options,
  );
  if (!isMapping(value)) return service;
  const source = cloneMapping(value);
  const holder: Mapping = new Map([["services", new Map([[name, source]])]]);
  for (const one of resets) applyResets(holder, one);
  const merged = mergeService(source, service);
  merged.delete("extends");
  services.set(name, merged);
  return merged;
}

function readExtends(extended: Value, name: string): { reference: string; from?: string } {
  if (typeof extended === "string") return { reference: extended };
  const reference = isMapping(extended) ? extended.get("service") : undefined;
  if (typeof reference !== "string") {
    throw new Fault("invalid", `extends.${name}.service is required`);
  }
  const from = (extended as Mapping).get("file");
  return typeof from === "string" ? { reference, from } : { reference };
}

function loadServices(
  { name, file }: Extension,
  reference: string,
  from: string,
  options: ExtendOptions,
): { services: Mapping; resets: Resets } {
  const path = posix.isAbsolute(from) ? from : posix.join(options.root, from);
  const { model, resets } = options.loadBase(path, from, options);
  const services = model.get("services");
  if (services === undefined) {
    throw new Fault("invalid", `cannot extend service "${name}" in ${path}: no services section`);
  }
  if (!isMapping(services)) {
    const problem = `cannot extend service "${name}" in ${path}: services must be a mapping`;
    throw new Fault("invalid", problem);
  }
  if (!services.has(reference)) {
    const problem = `cannot extend service "${name}" in ${file}: service "${reference}" not found in ${from}`;
    throw new Fault("invalid", problem);
  }
  return { services, resets };
}
