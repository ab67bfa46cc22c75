import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "#kernel";

/** Bits of Go's os.FileMode (pkg.go.dev/io/fs#FileMode), in which fsutil sends modes. */
const go = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  pipe: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  characterDevice: 2 ** 21,
  sticky: 2 ** 20,
} as const;

const types: readonly (readonly [goBits: number, type: number])[] = [
  [go.directory, S_IFDIR],
  [go.symlink, S_IFLNK],
  [go.device + go.characterDevice, S_IFCHR],
  [go.device, S_IFBLK],
  [go.pipe, S_IFIFO],
  [go.socket, S_IFSOCK],
  [0, S_IFREG],
];

const specials: readonly (readonly [goBit: number, bit: number])[] = [
  [go.setuid, 0o4000],
  [go.setgid, 0o2000],
  [go.sticky, 0o1000],
];

/** All bits that say what type of file it is. */
const typeBits = types.reduce((all, [bits]) => (all | bits) >>> 0, 2 ** 19);

/** A mode of Go as one of stat(2); undefined when no type of Linux has it. */
export function modeFromGo(mode: number): number | undefined {
  const type = (mode & typeBits) >>> 0;
  const found = types.find(([bits]) => bits === type);
  if (!found) return undefined;
  const special = specials.reduce((all, [goBit, bit]) => all | (mode & goBit ? bit : 0), 0);
  return found[1] | special | (mode & 0o777);
}

/** A mode of stat(2) as one of Go. */
export function modeToGo(mode: number): number {
  const [bits] = types.find(([, type]) => type === (mode & S_IFMT)) ?? [0];
  const special = specials.reduce((all, [goBit, bit]) => all | (mode & bit ? goBit : 0), 0);
  return (bits | special | (mode & 0o777)) >>> 0;
}
