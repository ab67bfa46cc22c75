import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Fault } from "#base";
import { shapes } from "./option.ts";

const { text, texts, whole, unsigned, list, object } = shapes;

const deviceNode = object({
  path: text,
  hostPath: text,
  type: text,
  major: whole,
  minor: whole,
  fileMode: unsigned,
  permissions: text,
  uid: unsigned,
  gid: unsigned,
});

const edits = object({
  env: texts,
  deviceNodes: list(deviceNode),
  mounts: list(object({ hostPath: text, containerPath: text, options: texts, type: text })),
  additionalGids: list(unsigned),
  hooks: list(object({ hookName: text, path: text })),
  intelRdt: z.unknown(),
  netDevices: z.unknown(),
});

/** What a device adds to a container (CDI specification, "containerEdits"). */
export type ContainerEdits = z.infer<typeof edits>;

const specification = z.object({
  cdiVersion: z.string(),
  kind: z.string().regex(/^[A-Za-z][\w.-]*\/[A-Za-z][\w-]*$/),
  devices: z.array(z.object({ name: z.string(), containerEdits: edits })).max(10_000),
  containerEdits: edits.nullish(),
});

type Specification = z.infer<typeof specification>;

/** As Docker's engine looks for them; the later directory wins. */
const directories = ["/etc/cdi", "/var/run/cdi"];

/** Bytes of one specification, and files of one directory. */
const maxSize = 4 << 20;
const maxFiles = 256;

/** A device of the specifications under its full name, "vendor.com/class=name". */
export interface CdiDevice {
  readonly name: string;
  readonly edits: ContainerEdits;
  /** Those of its specification, which all its devices share. */
  readonly shared: ContainerEdits | undefined;
}

/** The devices that the specifications of this host describe, and why others cannot be told. */
export interface CdiDevices {
  readonly devices: ReadonlyMap<string, CdiDevice>;
  readonly faults: readonly string[];
}

/**
 * Reads all specifications (Container Device Interface): a device that two files of one directory
 * describe is none, as the specification has it, and a file that cannot be read hides none of others.
 */
export function readCdiDevices(places: readonly string[] = directories): CdiDevices {
  const devices = new Map<string, CdiDevice>();
  const faults: string[] = [];
  for (const place of places) {
    const here = new Map<string, CdiDevice | undefined>();
    for (const path of filesOf(place)) {
      try {
        for (const device of devicesOf(readSpecification(path))) {
          const isTwice = here.has(device.name);
          here.set(device.name, isTwice ? undefined : device);
          if (isTwice) faults.push(`${device.name} is described twice in ${place}`);
        }
      } catch (error) {
        faults.push(`${path} cannot be read: ${(error as Error).message}`);
      }
    }
    for (const [name, device] of here) {
      if (device) devices.set(name, device);
      else devices.delete(name);
    }
  }
  return { devices, faults };
}

function filesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((name) => /\.(json|ya?ml)$/.test(name))
      .sort()
      .slice(0, maxFiles)
      .map((name) => join(directory, name));
  } catch {
    return [];
  }
}

function readSpecification(path: string): Specification {
  const { size } = statSync(path);
  if (size > maxSize) throw new Fault("invalid", `it is larger than ${maxSize} bytes`);
  const content = readFileSync(path, "utf8");
  const value: unknown = path.endsWith(".json") ? JSON.parse(content) : Bun.YAML.parse(content);
  const result = specification.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Fault("invalid", `${issue?.path.join(".")}: ${issue?.message}`);
}

function devicesOf({ kind, devices, containerEdits }: Specification): readonly CdiDevice[] {
  return devices.map((device) => ({
    name: `${kind}=${device.name}`,
    edits: device.containerEdits,
    shared: containerEdits ?? undefined,
  }));
}
