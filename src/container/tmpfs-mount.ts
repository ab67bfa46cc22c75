import { Fault } from "#base";
import type { OciMount } from "#runtime";
import { wrongTarget } from "./mount-path.ts";
import type { MountBody } from "./mounts.ts";

/** A file system in memory that the container sees at `target`. */
export interface TmpfsMount {
  readonly target: string;
  /** Options as in `--tmpfs`: "rw,size=64m,mode=1777". */
  readonly options: string;
}

/** Options of a mount that need no value; mount(8). */
const flags = new Set(
  (
    "defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync mand nomand atime noatime " +
    "diratime nodiratime relatime norelatime strictatime nostrictatime private rprivate shared " +
    "rshared slave rslave unbindable runbindable noswap inode32 inode64"
  ).split(" "),
);

const size = /^\d+[kmgtpe]?$/i;
const id = /^\d{1,10}$/;

/** Options with a value, and the form of it; tmpfs(5). */
const values: Readonly<Record<string, RegExp>> = {
  size: /^\d+[kmgtpe%]?$/i,
  nr_blocks: size,
  nr_inodes: size,
  mode: /^[0-7]{1,5}$/,
  uid: id,
  gid: id,
  huge: /^(never|always|within_size|advise)$/,
  mpol: /^[a-z0-9:=-]+$/i,
};

/** Checks options as `--tmpfs` has them; `invalid` in Docker's words, and why. */
export function checkTmpfsOptions(options: string): void {
  for (const option of options.split(",").filter(Boolean)) {
    const equals = option.indexOf("=");
    const key = equals < 0 ? option : option.slice(0, equals);
    const form = Object.hasOwn(values, key) ? values[key] : undefined;
    if (equals < 0 ? flags.has(key) : form?.test(option.slice(equals + 1))) continue;
    const wrong = equals >= 0 && form ? option : key;
    throw new Fault("invalid", `invalid tmpfs option ${JSON.stringify(wrong)}`, { about: option });
  }
}

/** The tmpfs of an entry of Mounts; `invalid` in Docker's words. */
export function tmpfsOfMount(mount: MountBody): TmpfsMount {
  const refuse = (why: string): never => {
    throw new Fault("invalid", `invalid mount config for type "tmpfs": ${why}`);
  };
  if (!mount.Target) return refuse("field Target must not be empty");
  if (mount.Source) return refuse("field Source must not be specified");
  const wrong = wrongTarget(mount.Target);
  if (wrong) return refuse(wrong);
  const { SizeBytes, Mode, Options } = mount.TmpfsOptions ?? {};
  if ((SizeBytes ?? 0) < 0 || (Mode ?? 0) < 0) refuse("size and mode must not be negative");
  const pairs = (Options ?? []).map((pair) =>
    pair && (pair.length === 1 || pair.length === 2)
      ? pair.join("=")
      : refuse("invalid option array length"),
  );
  for (const pair of pairs) {
    if (pair.includes(",") || pair === "") refuse(`invalid option: ${pair}`);
    try {
      checkTmpfsOptions(pair);
    } catch {
      refuse(`invalid option: ${pair.split("=")[0]}`);
    }
  }
  const options = [
    ...(mount.ReadOnly ? ["ro"] : []),
    ...(SizeBytes ? [`size=${SizeBytes}`] : []),
    ...(Mode ? [`mode=${Mode.toString(8)}`] : []),
    ...pairs,
  ];
  return { target: mount.Target, options: options.join(",") };
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
