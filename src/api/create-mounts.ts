import { Fault } from "#base";
import type { BindMount, TmpfsMount } from "#engine";
import type { HostConfigBody, MountBody } from "#wire";

type Propagation = NonNullable<BindMount["propagation"]>;

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

/** The binds of `-v` and `--mount type=bind`, in this order as in Docker. */
export function bindsOf(host: HostConfigBody): readonly BindMount[] {
  for (const { Type: type } of host.Mounts ?? []) {
    if (type !== "bind" && type !== "tmpfs") throw invalidMount(type ?? "", "mount type unknown");
  }
  return [
    ...(host.Binds ?? []).map(parseBind),
    ...(host.Mounts ?? []).filter((mount) => mount.Type === "bind").map(bindOfMount),
  ];
}

/** The tmpfs mounts of `--tmpfs` and `--mount type=tmpfs`. */
export function tmpfsOf(host: HostConfigBody): readonly TmpfsMount[] {
  return [
    ...Object.entries(host.Tmpfs ?? {}).map(([target, options]) => ({ target, options })),
    ...(host.Mounts ?? []).filter((mount) => mount.Type === "tmpfs").map(tmpfsOfMount),
  ];
}

/** "/source:/target[:options]" as in Docker: a missing source is made. */
function parseBind(spec: string): BindMount {
  const parts = spec.split(":");
  const [source = "", target = "", mode = ""] = parts;
  if (parts.length > 3 || source === "" || target === "")
    throw new Fault("invalid", `invalid volume specification: '${spec}'`, { about: spec });
  return { source, target, recursive: true, createSource: true, ...parseMode(mode) };
}

function parseMode(mode: string): {
  readonly readonly: boolean;
  readonly propagation?: Propagation;
} {
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
  return { readonly, ...(propagation && { propagation }) };
}

/** Labels of SELinux and consistency are of no effect where Docker has none either. */
function kindOf(option: string): string | undefined {
  if (option === "ro" || option === "rw") return "access";
  if (option === "z" || option === "Z") return "label";
  if (isPropagation(option)) return "propagation";
  if (["consistent", "cached", "delegated", "default"].includes(option)) return "consistency";
  return undefined;
}

function bindOfMount(mount: MountBody): BindMount {
  const { Source: source = "", Target: target = "", BindOptions: options } = mount;
  if (!source) throw invalidMount("bind", "field Source must not be empty");
  if (!target) throw invalidMount("bind", "field Target must not be empty");
  if (mount.TmpfsOptions) throw invalidMount("bind", "field TmpfsOptions must not be specified");
  if (options?.ReadOnlyNonRecursive)
    throw new Fault(
      "unsupported",
      "mounts that are read-only at the top alone are not supported yet: BindOptions.ReadOnlyNonRecursive",
    );
  const propagation = options?.Propagation || undefined;
  if (propagation !== undefined && !isPropagation(propagation))
    throw invalidMount("bind", `invalid propagation mode: ${propagation}`);
  return {
    source,
    target,
    readonly: mount.ReadOnly ?? false,
    recursive: !options?.NonRecursive,
    createSource: options?.CreateMountpoint ?? false,
    ...(propagation && { propagation }),
  };
}

function tmpfsOfMount(mount: MountBody): TmpfsMount {
  if (!mount.Target) throw invalidMount("tmpfs", "field Target must not be empty");
  if (mount.Source) throw invalidMount("tmpfs", "field Source must not be specified");
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
