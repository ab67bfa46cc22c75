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

const types: ReadonlyMap<number, number> = new Map([
  [0o040000, goModes.directory],
  [0o120000, goModes.symlink],
  [0o060000, goModes.device],
  [0o020000, goModes.device + goModes.character],
  [0o010000, goModes.pipe],
  [0o140000, goModes.socket],
]);

/** The mode that stat(2) gives, as Go's os.FileMode. */
export function goFileMode(mode: number): number {
  const set = (bit: number, go: number) => ((mode & bit) === 0 ? 0 : go);
  return (
    (mode & 0o777) +
    (types.get(mode & 0o170000) ?? 0) +
    set(0o4000, goModes.setuid) +
    set(0o2000, goModes.setgid) +
    set(0o1000, goModes.sticky)
  );
}

/** Whether a bit of `goModes` is set; the highest is beyond JavaScript's operators. */
export function hasGoMode(mode: number, bit: number): boolean {
  return Math.floor(mode / bit) % 2 === 1;
}

/** As the header has it. */
export function encodePathStat(stat: PathStat): string {
  return Buffer.from(JSON.stringify(stat)).toString("base64");
}

/** The value of the header; undefined where it is missing or no such stat. */
export function decodePathStat(text: string | null | undefined): PathStat | undefined {
  try {
    const stat: unknown = JSON.parse(Buffer.from(text ?? "", "base64").toString());
    const isStat = typeof stat === "object" && stat !== null && "mode" in stat && "name" in stat;
    return isStat ? (stat as PathStat) : undefined;
  } catch {
    return undefined;
  }
}
