/** Where an answer about a file of a container tells about it: base64 of a `PathStat` as JSON. */
export const PATH_STAT_HEADER = "X-Docker-Container-Path-Stat";

/** One file of a container. */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** Go's os.FileMode: permissions in the low nine bits, the rest as below. */
  readonly mode: number;
  /** RFC 3339. */
  readonly mtime: string;
  /** Where a symbolic link leads in the end. */
  readonly linkTarget: string;
}

/** Bits of Go's os.FileMode (package io/fs). */
export const goModes = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  pipe: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  character: 2 ** 21,
  sticky: 2 ** 20,
} as const;

const types: Readonly<Record<number, number>> = {
  9604: goModes.directory,
  21609: goModes.symlink,
  14406: goModes.device,
  4802: goModes.device + goModes.character,
  2401: goModes.pipe,
  26411: goModes.socket,
};

/** The mode that stat(2) gives, as Go's os.FileMode. */
export function goFileMode(mode: number): number {
  const set = (bit: number, go: number) => ((mode & bit) === 0 ? 0 : go);
  return (
    (mode & 0o777) +
    (types[mode & 0o170000] ?? 0) +
    set(0o4000, goModes.setuid) +
    set(0o2000, goModes.setgid) +
    set(0o1000, goModes.sticky)
  );
}

/** Whether a bit of `goModes` is set; the highest is beyond JavaScript's operators. */
export function hasGoMode(mode: number, bit: number): boolean {
  return Math.floor(mode / bit) % 2 === 1;
}
