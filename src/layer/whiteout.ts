import { type Fd, mknodat, S_IFCHR, S_IFMT, type Stat, setXattr } from "#kernel";

/**
 * OCI image-spec layer.md, "Whiteouts", and their form in overlayfs (kernel docs,
 * filesystems/overlayfs).
 */
export const whiteoutPrefix = ".wh.";
/** Names beginning so are marks of AUFS, not whiteouts of files. */
export const markPrefix = ".wh..wh.";
export const opaqueName = ".wh..wh..opq";
export const opaqueAttribute = "trusted.overlay.opaque";
const originAttribute = "trusted.overlay.origin";
export const opaqueValue: Uint8Array = Buffer.from("y");

/**
 * Attributes that steer an overlay. One that came out of an archive could point a
 * layer at places of the layers below, so they are neither taken in nor given out.
 */
export function isOverlayAttribute(name: string): boolean {
  return name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.");
}

/**
 * A name of bytes-as-characters in the form for system calls: the string itself while it is ASCII.
 */
export function pathOf(name: string): string | Uint8Array {
  for (let i = 0; i < name.length; i++) {
    if (name.charCodeAt(i) >= 0x80) return Buffer.from(name, "latin1");
  }
  return name;
}

/** Whether it is overlayfs's form of a whiteout: a character device 0:0. */
export function isWhiteout({ mode, rdev }: Stat): boolean {
  return (mode & S_IFMT) === S_IFCHR && rdev.major === 0 && rdev.minor === 0;
}

/**
 * Makes a whiteout. Where the layers below turn out to have no such directory, overlayfs
 * would list the whiteout as a name without a file, unless the directory says that it
 * may hold some: it looks for an origin (fs/overlayfs/inode.c, ovl_get_inode), which
 * may be empty.
 */
export function makeWhiteout(directory: Fd, name: string | Uint8Array): void {
  mknodat(directory, name, { mode: S_IFCHR });
  setXattr(directory, "", originAttribute, Buffer.alloc(0));
}
