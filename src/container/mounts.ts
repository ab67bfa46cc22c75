import type { z } from "zod";
import { defined, Fault } from "#base";
import type { OciMount } from "#runtime";
import { shapes } from "./option.ts";

/** A directory or file of the host that the container sees at `target`. */
export interface BindMount {
  /** Absolute path on the host. */
  readonly source: string;
  readonly target: string;
  /** The options as they were written behind the second colon of `-v`; "" otherwise. */
  readonly mode: string;
  readonly readonly: boolean;
  readonly recursive: boolean;
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

/** "/source:/target[:options]" as in Docker: a missing source is made. */
export function parseBind(spec: string): BindMount {
  const parts = spec.split(":");
  const [source = "", target = "", mode = ""] = parts;
  if (parts.length > 3 || source === "" || target === "")
    throw new Fault("invalid", `invalid volume specification: '${spec}'`, { about: spec });
  return { source, target, mode, recursive: true, createSource: true, ...parseMode(mode) };
}

/** Why an entry of Binds is not a bind of a host path. */
export function refuseBind(spec: string): readonly string[] {
  if (!spec.includes(":")) return [`anonymous volumes (${spec})`];
  return spec.startsWith("/") || spec.startsWith(":") ? [] : [`named volumes (${spec})`];
}

function parseMode(mode: string): Pick<BindMount, "readonly" | "propagation"> {
  let readonly = false;
  let propagation: Propagation | undefined;
  const seen = new Set<string>();
  for (const option of mode === "" ? [] : mode.split(",")) {
    const kind = kindOf(option);
    if (kind === undefined || seen.has(kind))
      throw new Fault("invalid", `invalid mode: ${mode}`, { about: mode });
    seen.add(kind);
    if (option === "ro") readonly = true;
    if (isPropagation(option)) propagation = option;
  }
  return { readonly, ...defined({ propagation }) };
}

/** Labels of SELinux and consistency have no effect, as in Docker on such a machine. */
function kindOf(option: string): string | undefined {
  if (option === "ro" || option === "rw") return "access";
  if (option === "z" || option === "Z") return "label";
  if (isPropagation(option)) return "propagation";
  if (["consistent", "cached", "delegated", "default"].includes(option)) return "consistency";
  return undefined;
}

export interface Mounts {
  readonly binds: readonly BindMount[];
  readonly tmpfs: readonly TmpfsMount[];
}

/** The binds and tmpfs mounts of HostConfig.Mounts; `invalid` in Docker's words. */
export function parseMounts(mounts: readonly MountBody[]): Mounts {
  for (const { Type: type } of mounts)
    if (type !== "bind" && type !== "tmpfs" && !laterMounts.includes(type ?? ""))
      throw invalidMount(type ?? "", "mount type unknown");
  const of = (type: string) => mounts.filter((mount) => mount.Type === type);
  return { binds: of("bind").map(bindOfMount), tmpfs: of("tmpfs").map(tmpfsOfMount) };
}

/** Docker's types of mounts beside bind and tmpfs; any other is a mistake. */
const laterMounts: readonly string[] = ["volume", "image", "cluster", "npipe"];

/** The parts of an entry of Mounts that thimble lacks. */
export function refuseMount({ Type: type, Target: target, BindOptions }: MountBody) {
  if (type && laterMounts.includes(type))
    return [`mounts of type ${JSON.stringify(type)} (${target ?? ""})`];
  if (BindOptions?.ReadOnlyNonRecursive)
    return ["mounts that are read-only at the top alone (BindOptions.ReadOnlyNonRecursive)"];
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

/** A bind as the OCI configuration has it. */
export function ociBind(bind: BindMount): OciMount {
  return {
    destination: bind.target,
    type: "bind",
    source: bind.source,
    options: [
      bind.recursive ? "rbind" : "bind",
      // Not "rw": that would make a file system writable that the host has mounted read-only.
      ...(bind.readonly ? [bind.recursive ? "rro" : "ro"] : []),
      bind.propagation ?? "rprivate",
    ],
  };
}
