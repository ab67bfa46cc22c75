import { type Dirent, readdirSync, statSync } from "node:fs";
import { defined, Fault } from "#base";
import type { DeviceNode } from "#helper";
import type { OciDeviceRule } from "./oci-resources.ts";
import type { OciDevice } from "./oci-spec.ts";

function character(path: string, major: number, minor: number): OciDevice {
  return { path, type: "c", major, minor, fileMode: 0o666, uid: 0, gid: 0 };
}

/** Devices that every container has (OCI config-linux.md, "Default Devices"); ptmx is a link and console comes with a terminal. */
const defaultDevices: readonly OciDevice[] = [
  character("/dev/null", 1, 3),
  character("/dev/zero", 1, 5),
  character("/dev/full", 1, 7),
  character("/dev/random", 1, 8),
  character("/dev/urandom", 1, 9),
  character("/dev/tty", 5, 0),
];

/** Links of /dev, as every engine makes them. */
export const defaultSymlinks: readonly { readonly target: string; readonly path: string }[] = [
  { target: "/proc/self/fd", path: "/dev/fd" },
  { target: "/proc/self/fd/0", path: "/dev/stdin" },
  { target: "/proc/self/fd/1", path: "/dev/stdout" },
  { target: "/proc/self/fd/2", path: "/dev/stderr" },
  { target: "pts/ptmx", path: "/dev/ptmx" },
  { target: "/proc/kcore", path: "/dev/core" },
];

const anyDevice: OciDeviceRule = { allow: true, access: "rwm" };

function allow(major: number, minor?: number): OciDeviceRule {
  return { allow: true, type: "c", major, ...defined({ minor }), access: "rwm" };
}

/**
 * The allow list of a container that is not privileged: mknod of anything (a node
 * alone opens nothing), the default devices, ptmx and the pseudo-terminals. What
 * runc allows, which Docker relies on.
 */
export const defaultDeviceRules: readonly OciDeviceRule[] = [
  { ...anyDevice, allow: false },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  ...[3, 5, 7, 8, 9].map((minor) => allow(1, minor)),
  allow(5, 0),
  allow(5, 1),
  allow(5, 2),
  allow(136),
];

/** The one rule of a privileged container. */
export const privilegedDeviceRules: readonly OciDeviceRule[] = [anyDevice];

/** Device nodes as the plan has them; the default ones first, and those of the configuration replace them by path. */
export function compileDevices(devices: readonly OciDevice[]): readonly DeviceNode[] {
  const byPath = new Map([...defaultDevices, ...devices].map((device) => [device.path, device]));
  return [...byPath.values()].map((device) => ({
    path: device.path,
    type: device.type === "u" ? "c" : device.type,
    major: device.major ?? 0,
    minor: device.minor ?? 0,
    mode: device.fileMode ?? 0o666,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
  }));
}

/**
 * Entries of /dev that are mounts of their own, or that each container gets anew: console and ptmx.
 */
const skipped = new Set([
  "pts",
  "shm",
  "fd",
  "mqueue",
  ".lxc",
  ".lxd-mounts",
  ".udev",
  "console",
  "ptmx",
]);

/** Files that are looked at below a directory of devices; /dev itself has some hundred. */
const maxFiles = 10_000;

/**
 * Every device of the host below /dev, for a privileged container or `--device` of a
 * directory. What vanishes meanwhile is left out; a directory of more than 10,000 files is
 * `invalid`, since the walk blocks the event loop.
 */
export function readHostDevices(directory = "/dev", limit = maxFiles): readonly OciDevice[] {
  let left = limit;
  const walk = (place: string): readonly OciDevice[] =>
    entriesOf(place).flatMap((entry) => {
      if (left-- === 0)
        throw new Fault("invalid", `${directory} holds more than ${limit} files`, {
          about: directory,
        });
      if (skipped.has(entry.name)) return [];
      const path = `${place}/${entry.name}`;
      if (entry.isDirectory()) return walk(path);
      if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
      return readHostDevice(path) ?? [];
    });
  return walk(directory);
}

function entriesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/**
 * The device node behind a host path, links followed; undefined when the path is missing or not a
 * device.
 */
export function readHostDevice(path: string): OciDevice | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat || !(stat.isCharacterDevice() || stat.isBlockDevice())) return undefined;
  return {
    path,
    type: stat.isCharacterDevice() ? "c" : "b",
    ...splitDeviceNumber(stat.rdev),
    fileMode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
  };
}

/** glibc's makedev layout, which stat(2) reports on Linux. */
function splitDeviceNumber(rdev: number): { readonly major: number; readonly minor: number } {
  const wide = BigInt(rdev);
  return {
    major: Number(((wide >> 8n) & 0xfffn) | ((wide >> 32n) & 0xfffff000n)),
    minor: Number((wide & 0xffn) | ((wide >> 12n) & 0xffffff00n)),
  };
}
