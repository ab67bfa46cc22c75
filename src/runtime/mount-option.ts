import { defined, Fault } from "#base";
import type { Propagation } from "#helper";

/** MOUNT_ATTR_* of linux/mount.h. */
const RDONLY = 0x1;
const NOSUID = 0x2;
const NODEV = 0x4;
const NOEXEC = 0x8;
const ATIME_MASK = 0x70;
const NOATIME = 0x10;
const STRICTATIME = 0x20;
const NODIRATIME = 0x80;
const NOSYMFOLLOW = 0x20_0000;

interface Change {
  readonly set: number;
  readonly clear: number;
}

/** Per-mount options of mount(8); each also exists for the whole tree with an "r" before it, as "rro". */
const attributeOptions: Readonly<Record<string, Change>> = {
  ro: { set: RDONLY, clear: 0 },
  rw: { set: 0, clear: RDONLY },
  nosuid: { set: NOSUID, clear: 0 },
  suid: { set: 0, clear: NOSUID },
  nodev: { set: NODEV, clear: 0 },
  dev: { set: 0, clear: NODEV },
  noexec: { set: NOEXEC, clear: 0 },
  exec: { set: 0, clear: NOEXEC },
  noatime: { set: NOATIME, clear: ATIME_MASK },
  relatime: { set: 0, clear: ATIME_MASK },
  atime: { set: 0, clear: ATIME_MASK },
  norelatime: { set: STRICTATIME, clear: ATIME_MASK },
  strictatime: { set: STRICTATIME, clear: ATIME_MASK },
  nostrictatime: { set: 0, clear: ATIME_MASK },
  nodiratime: { set: NODIRATIME, clear: 0 },
  diratime: { set: 0, clear: NODIRATIME },
  nosymfollow: { set: NOSYMFOLLOW, clear: 0 },
  symfollow: { set: 0, clear: NOSYMFOLLOW },
};

const propagations: Readonly<Record<string, Propagation>> = {
  private: "private",
  rprivate: "private",
  slave: "slave",
  rslave: "slave",
  shared: "shared",
  rshared: "shared",
  unbindable: "unbindable",
  runbindable: "unbindable",
};

/** Flags of the file system rather than of the mount; fsconfig(2) takes them as they are. */
const superblockFlags = new Set(["sync", "dirsync", "lazytime", "mand"]);
/** Options that mount(8) writes where nothing special was asked for. */
const neutral = new Set([
  "defaults",
  "async",
  "nolazytime",
  "nomand",
  "loud",
  "silent",
  "x-mount.mkdir",
]);

export interface MountOptions {
  readonly attributes: Change;
  /** The attributes are meant for the whole tree. */
  readonly recursiveAttributes: boolean;
  readonly bind: "none" | "bind" | "rbind";
  readonly propagation?: Propagation;
  /** For the file system, in order; null is an option without a value. */
  readonly data: readonly (readonly [key: string, value: string | null])[];
}

/**
 * Options as of fstab(5) and OCI's config.md, later ones winning. One recursive
 * attribute makes all of them recursive: the plan has one switch per mount.
 */
export function parseMountOptions(options: readonly string[], field: string): MountOptions {
  let set = 0;
  let clear = 0;
  let recursiveAttributes = false;
  let bind: MountOptions["bind"] = "none";
  let propagation: Propagation | undefined;
  const data: (readonly [string, string | null])[] = [];
  for (const option of options) {
    const plain = attributeOptions[option];
    const recursive = option.startsWith("r") ? attributeOptions[option.slice(1)] : undefined;
    const change = plain ?? recursive;
    if (change) {
      if (!plain) recursiveAttributes = true;
      set = (set & ~change.clear) | change.set;
      clear = (clear & ~change.set) | change.clear;
    } else if (option === "bind" || option === "rbind") bind = option;
    else if (propagations[option]) propagation = propagations[option];
    else if (superblockFlags.has(option)) data.push([option, null]);
    else if (!neutral.has(option)) data.push(parseData(option, field));
  }
  return {
    attributes: { set, clear },
    recursiveAttributes,
    bind,
    ...defined({ propagation }),
    data,
  };
}

function parseData(option: string, field: string): readonly [string, string | null] {
  const equals = option.indexOf("=");
  const key = equals < 0 ? option : option.slice(0, equals);
  if (key === "" || option.includes("\0"))
    throw new Fault("invalid", `${field}: "${option}" is not a mount option`);
  return [key, equals < 0 ? null : option.slice(equals + 1)];
}

/** The names of MOUNT_ATTR_* bits that are set, as mount(8) writes them. */
export function attributeNames(bits: number): readonly string[] {
  const found: string[] = [];
  if (bits & RDONLY) found.push("ro");
  if (bits & NOSUID) found.push("nosuid");
  if (bits & NODEV) found.push("nodev");
  if (bits & NOEXEC) found.push("noexec");
  if ((bits & ATIME_MASK) === NOATIME) found.push("noatime");
  if ((bits & ATIME_MASK) === STRICTATIME) found.push("strictatime");
  if (bits & NODIRATIME) found.push("nodiratime");
  if (bits & NOSYMFOLLOW) found.push("nosymfollow");
  return found;
}
