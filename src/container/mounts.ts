import type { z } from "zod";
import { defined, Fault } from "#base";
import { type IdMapping, parseIdMapping } from "./id-mapping.ts";
import { type ImageMount, imageOfMount } from "./image-mount.ts";
import { cleanTarget, wrongPath, wrongTarget } from "./mount-path.ts";
import { shapes } from "./option.ts";
import { type TmpfsMount, tmpfsOfMount } from "./tmpfs-mount.ts";
import { type VolumeMount, volumeOfBind, volumeOfMount } from "./volume-mount.ts";

/** A directory or file of the host that the container sees at `target`. */
export interface BindMount {
  /** Absolute path on the host. */
  readonly source: string;
  readonly target: string;
  /** The options as they were written behind the second colon of `-v`; "" otherwise. */
  readonly mode: string;
  readonly readonly: boolean;
  readonly recursive: boolean;
  /** Mounts below the source stay writable when it is read-only. */
  readonly shallow?: boolean;
  readonly propagation?: Propagation;
  readonly idMapping?: IdMapping;
  /** Make a missing source as a directory, as `-v` does and `--mount` does not. */
  readonly createSource: boolean;
}

type Propagation = "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave";

const propagations: readonly string[] = [
  "private",
  "rprivate",
  "shared",
  "rshared",
  "slave",
  "rslave",
];

function isPropagation(text: string): text is Propagation {
  return propagations.includes(text);
}

const { text, flag, whole, textMap, list, object } = shapes;

/** An entry of HostConfig.Mounts (Docker's `--mount`). */
export const mountShape = object({
  Type: text,
  Source: text,
  Target: text,
  ReadOnly: flag,
  Consistency: text,
  BindOptions: object({
    Propagation: text,
    NonRecursive: flag,
    CreateMountpoint: flag,
    ReadOnlyNonRecursive: flag,
    ReadOnlyForceRecursive: flag,
    IDMapping: object({ Source: text, User: text }),
  }),
  VolumeOptions: object({
    NoCopy: flag,
    Labels: textMap,
    Subpath: text,
    DriverConfig: object({ Name: text, Options: textMap }),
  }),
  ImageOptions: object({ Subpath: text }),
  TmpfsOptions: object({ SizeBytes: whole, Mode: whole, Options: list(list(text)) }),
  ClusterOptions: object({}),
});

export type MountBody = z.infer<typeof mountShape>;

/**
 * "/source:/target[:options]", "NAME:/target[:options]" or "/target" as in Docker: a missing source
 * is made, and a target alone has a volume of its own.
 */
export function parseBind(spec: string): BindMount | VolumeMount {
  const parts = spec.split(":");
  const [source = "", target = source, mode = ""] = parts;
  if (parts.length > 3 || source === "" || target === "" || isModeAlone(parts))
    throw new Fault("invalid", `invalid volume specification: '${spec}'`, { about: spec });
  const { copy, idMapping, ...access } = parseMode(mode);
  const isVolume = parts.length === 1 || !source.startsWith("/");
  if (idMapping && isVolume)
    throw new Fault("invalid", `invalid mode: ${mode}: the owners of volumes are not mapped`, {
      about: mode,
    });
  if (isVolume)
    return volumeOfBind(spec, {
      ...{ volume: parts.length === 1 ? "" : source, target, mode, ...access },
      copy: copy ?? true,
    });
  const wrong =
    copy === undefined ? wrongTarget(target) : "field VolumeOptions must not be specified";
  if (wrong)
    throw new Fault(
      "invalid",
      `invalid volume specification: '${spec}': ${invalidMount("bind", wrong).message}`,
      { about: spec },
    );
  return {
    ...{ source: cleanTarget(source), target: cleanTarget(target), mode },
    ...{ recursive: true, createSource: true, ...access, ...defined({ idMapping }) },
  };
}

/** "/target:ro", which Docker refuses rather than to mount something at "ro". */
function isModeAlone([, second = "", ...more]: readonly string[]): boolean {
  return second !== "" && more.length === 0 && second.split(",").every((word) => kindOf(word));
}

interface Mode extends Pick<BindMount, "readonly" | "propagation" | "idMapping"> {
  /** Absent: nothing is said of it. */
  readonly copy?: boolean;
}

function parseMode(mode: string): Mode {
  let readonly = false;
  let propagation: Propagation | undefined;
  let copy: boolean | undefined;
  let idMapping: IdMapping | undefined;
  const seen = new Set<string>();
  for (const option of mode === "" ? [] : mode.split(",")) {
    const kind = kindOf(option);
    if (kind === undefined || seen.has(kind))
      throw new Fault("invalid", `invalid mode: ${mode}`, { about: mode });
    seen.add(kind);
    if (option === "ro") readonly = true;
    if (option === "nocopy") copy = false;
    if (option === "idmap") idMapping = { user: "" };
    if (isPropagation(option)) propagation = option;
  }
  return { readonly, ...defined({ propagation, copy, idMapping }) };
}

/** Labels of SELinux and consistency have no effect, as in Docker on such a machine. */
function kindOf(option: string): string | undefined {
  if (option === "ro" || option === "rw") return "access";
  if (option === "z" || option === "Z") return "label";
  if (option === "nocopy") return "copy";
  if (option === "idmap") return "owners";
  if (isPropagation(option)) return "propagation";
  if (["consistent", "cached", "delegated", "default"].includes(option)) return "consistency";
  return undefined;
}

export interface Mounts {
  readonly binds: readonly BindMount[];
  readonly tmpfs: readonly TmpfsMount[];
  readonly volumes: readonly VolumeMount[];
  readonly images: readonly ImageMount[];
}

/** The mounts of HostConfig.Mounts by their type; `invalid` in Docker's words. */
export function parseMounts(mounts: readonly MountBody[]): Mounts {
  for (const { Type: type } of mounts)
    if (!Object.hasOwn(ownOptions, type ?? ""))
      throw invalidMount(type ?? "", "mount type unknown");
  for (const mount of mounts) refuseForeignOptions(mount);
  const of = (type: string) => mounts.filter((mount) => mount.Type === type);
  return {
    binds: of("bind").map(bindOfMount),
    tmpfs: of("tmpfs").map(tmpfsOfMount),
    volumes: of("volume").map(volumeOfMount),
    images: of("image").map(imageOfMount),
  };
}

/** Which options belong to which type of mount. */
const ownOptions = {
  bind: "BindOptions",
  volume: "VolumeOptions",
  image: "ImageOptions",
  tmpfs: "TmpfsOptions",
} as const;

function refuseForeignOptions(mount: MountBody): void {
  const type = mount.Type ?? "";
  for (const [owner, field] of Object.entries(ownOptions)) {
    if (owner === type || !mount[field]) continue;
    throw new Fault("invalid", `${field} must not be specified on mount type "${type}"`);
  }
}

function bindOfMount(mount: MountBody): BindMount {
  const { Source: source, Target: target, BindOptions: options } = mount;
  if (!source) throw invalidMount("bind", "field Source must not be empty");
  if (!target) throw invalidMount("bind", "field Target must not be empty");
  const wrong = wrongPath(source) ?? wrongTarget(target) ?? wrongReadOnly(mount);
  if (wrong) throw invalidMount("bind", wrong);
  const propagation = options?.Propagation || undefined;
  if (propagation !== undefined && !isPropagation(propagation))
    throw invalidMount("bind", `invalid propagation mode: ${propagation}`);
  return {
    source: cleanTarget(source),
    target: cleanTarget(target),
    mode: "",
    readonly: mount.ReadOnly ?? false,
    recursive: !options?.NonRecursive,
    createSource: options?.CreateMountpoint ?? false,
    ...(options?.ReadOnlyNonRecursive && { shallow: true }),
    ...defined({ propagation, idMapping: parseIdMapping(options?.IDMapping) }),
  };
}

/** Options of read-only mounts that contradict each other, in Docker's words. */
function wrongReadOnly({ ReadOnly, BindOptions: options }: MountBody): string | undefined {
  const conflict = (what: string) => `mount options conflict: ${what}`;
  const { ReadOnlyNonRecursive: shallow, ReadOnlyForceRecursive: deep } = options ?? {};
  if (shallow && !ReadOnly) return conflict("!ReadOnly && BindOptions.ReadOnlyNonRecursive");
  if (deep && !ReadOnly) return conflict("!ReadOnly && BindOptions.ReadOnlyForceRecursive");
  if (shallow && deep)
    return conflict("ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive");
  return undefined;
}

function invalidMount(type: string, why: string): Fault {
  return new Fault("invalid", `invalid mount config for type "${type}": ${why}`);
}
