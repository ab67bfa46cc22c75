import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

/** File systems that a test may want, with the options of their mkfs. */
const makers = {
  btrfs: ["mkfs.btrfs", "-q"],
  xfs: ["mkfs.xfs", "-q", "-m", "reflink=1"],
  ext4: ["mke2fs", "-q", "-t", "ext4", "-O", "quota,project", "-E", "quotatype=prjquota"],
} as const;

export type DiskType = keyof typeof makers;

/** The program that a file system of this type is made with, if this machine lacks it. */
export function missingMaker(type: DiskType): string | undefined {
  const [program] = makers[type];
  return Bun.which(program) ? undefined : program;
}

/** A file system of its own below `directory`, mounted until it is disposed. */
export function loopDisk(
  type: DiskType,
  directory: string,
  { bytes, options = [] }: { readonly bytes: number; readonly options?: readonly string[] },
): Disposable & { readonly path: string } {
  const [program, ...flags] = makers[type];
  const quiet: ExecFileSyncOptions = { stdio: ["ignore", "ignore", "pipe"] };
  const image = join(directory, `${type}.img`);
  const path = join(directory, type);
  const file = openSync(image, "wx");
  ftruncateSync(file, bytes);
  closeSync(file);
  mkdirSync(path);
  execFileSync(program, [...flags, image], quiet);
  execFileSync("mount", ["-t", type, "-o", ["loop", ...options].join(","), image, path], quiet);
  return { path, [Symbol.dispose]: () => void execFileSync("umount", ["-l", path]) };
}

/** What a file system of this type lacks to have project quotas here, tried below `directory`. */
export function lackOfQuotas(type: DiskType, directory: string): string | undefined {
  const maker = missingMaker(type);
  if (maker !== undefined) return maker;
  const place = join(directory, `probe-${type}`);
  mkdirSync(place);
  try {
    using _disk = loopDisk(type, place, { bytes: 320 << 20, options: ["prjquota"] });
    return undefined;
  } catch {
    return "project quotas";
  }
}
