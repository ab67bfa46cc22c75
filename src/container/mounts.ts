import type { z } from "zod";
import { defined, Fault } from "#base";
import type { OciMount } from "#runtime";
import { shapes } from "./option.ts";
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
  /** Make a missing source as a directory, as `-v` does and `--mount` does not. */
  readonly createSource: boolean;
}

export interface TmpfsMount {
  readonly target: string;
  /** Options as in `--tmpfs`: "rw,size=64m,mode=1777". */
  readonly options: string;
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
  const { copy, ...access } = parseMode(mode);
  if (parts.length === 1 || !source.startsWith("/"))
    return volumeOfBind(spec, {
      ...{ volume: parts.length === 1 ? "" : source, target, mode, ...access },
      copy: copy ?? true,
    });
  if (copy !== undefined) throw new Fault("invalid", `invalid mode: ${mode}`, { about: mode });
  return { source, target, mode, recursive: true, createSource: true, ...access };
}

/** "/target:ro", which Docker refuses rather than to mount something at "ro". */
function isModeAlone([, second = "", ...more]: readonly string[]): boolean {
  return second !== "" && more.length === 0 && second.split(",").every((word) => kindOf(word));
}

interface Mode extends Pick<BindMount, "readonly" | "propagation"> {
  /** Absent: nothing is said of it. */
  readonly copy?: boolean;
}

function parseMode(mode: string): Mode {
  let readonly = false;
  let propagation: Propagation | undefined;
  let copy: boolean | undefined;
  const seen = new Set<string>();
  for (const option of mode === "" ? [] : mode.split(",")) {
    const kind = kindOf(option);
    if (kind === undefined || seen.has(kind))
      throw new Fault("invalid", `invalid mode: ${mode}`, { about: mode });
    seen.add(kind);
    if (option === "ro") readonly = true;
    if (option === "nocopy") copy = false;
    if (isPropagation(option)) propagation = option;
  }
  return { readonly, ...defined({ propagation, copy }) };
}

/** Labels of SELinux and consistency have no effect, as in Docker on such a machine. */
function kindOf(option: string): string | undefined {
  if (option === "ro" || option === "rw") return "access";
  if (option === "z" || option === "Z") return "label";
  if (option === "nocopy") return "copy";
  if (isPropagation(option)) return "propagation";
  if (["consistent", "cached", "delegated", "default"].includes(option)) return "consistency";
  return undefined;
}

export interface Mounts {
  readonly binds: readonly BindMount[];
  readonly tmpfs: readonly TmpfsMount[];
  readonly volumes: readonly VolumeMount[];
}

/** The mounts of HostConfig.Mounts by their type; `invalid` in Docker's words. */
export function parseMounts(mounts: readonly MountBody[]): Mounts {
  for (const { Type: type } of mounts)
    if (!["bind", "tmpfs", "volume", ...laterMounts].includes(type ?? ""))
      throw invalidMount(type ?? "", "mount type unknown");
  const of = (type: string) => mounts.filter((mount) => mount.Type === type);
  for (const mount of of("volume")) refuseForeignOptions(mount, "VolumeOptions");
  return {
    binds: of("bind").map(bindOfMount),
    tmpfs: of("tmpfs").map(tmpfsOfMount),
    volumes: of("volume").map(volumeOfMount),
  };
}

/** Docker's further types of mounts; any other is a mistake. */
const laterMounts: readonly string[] = ["image", "cluster", "npipe"];

/** The parts of an entry of Mounts that thimble lacks. */
export function refuseMount({ Type: type, Target: target }: MountBody) {
  if (type && laterMounts.includes(type))
    return [`mounts of type ${JSON.stringify(type)} (${target ?? ""})`];
  return [];
}

/** Which options belong to which type of mount. */
function refuseForeignOptions(mount: MountBody, own: string): void {
  for (const field of ["BindOptions", "VolumeOptions", "ImageOptions", "TmpfsOptions"] as const)
    if (field !== own && mount[field])
      throw invalidMount(mount.Type ?? "", `field ${field} must not be specified`);
}

function bindOfMount(mount: MountBody): BindMount {
  const { Source: source, Target: target, BindOptions: options } = mount;
  if (!source) throw invalidMount("bind", "field Source must not be empty");
  if (!target) throw invalidMount("bind", "field Target must not be empty");
  refuseForeignOptions(mount, "BindOptions");
  const propagation = options?.Propagation || undefined;
  if (propagation !== undefined && !isPropagation(propagation))
    throw invalidMount("bind", `invalid propagation mode: ${propagation}`);
  return {
    source,
    target,
    mode: "",
    readonly: mount.ReadOnly ?? false,
    recursive: !options?.NonRecursive,
    createSource: options?.CreateMountpoint ?? false,
    ...(options?.ReadOnlyNonRecursive && { shallow: true }),
    ...defined({ propagation }),
  };
}

function tmpfsOfMount(mount: MountBody): TmpfsMount {
  if (!mount.Target) throw invalidMount("tmpfs", "field Target must not be empty");
  if (mount.Source) throw invalidMount("tmpfs", "field Source must not be specified");
  refuseForeignOptions(mount, "TmpfsOptions");
  const { SizeBytes, Mode, Options } = mount.TmpfsOptions ?? {};
  const options = [
    ...(mount.ReadOnly ? ["ro"] : []),
    ...(SizeBytes ? [`size=${SizeBytes}`] : []),
    ...(Mode ? [`mode=${Mode.toString(8)}`] : []),
    ...(Options ?? []).map((pair) => pair.join("=")),
  ];
  return { target: mount.Target, options: options.join(",") };
}

function invalidMount(type: string, why: string): Fault {
  return new Fault("invalid", `invalid mount config for type "${type}": ${why}`);
}

/** A tmpfs as the OCI configuration has it; Docker's options first, which the user's replace. */
export function ociTmpfs({ target, options }: TmpfsMount): OciMount {
  return {
    destination: target,
    type: "tmpfs",
    source: "tmpfs",
    options: ["noexec", "nosuid", "nodev", ...options.split(",").filter(Boolean)],
  };
}
