import { isFault } from "#base";
import {
  type Fd,
  fchmodat,
  fchownat,
  getXattr,
  listXattr,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  setXattr,
} from "#kernel";
import { isOverlayAttribute } from "./whiteout.ts";

export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

export interface Place {
  readonly directory: Fd;
  /** One name in the directory, or "" for itself. */
  readonly name: string | Uint8Array;
}

/** How the attributes of one file are set. */
interface SetOptions {
  readonly isSymlink?: boolean;
  /** The overlay's own attributes too. */
  readonly exact?: boolean | undefined;
}

/**
 * Owner, then mode, then extended attributes: chown(2) takes away setuid bits and
 * security.capability. Attributes that the file system does not know are passed over. The name is
 * not followed, whatever has come in its place.
 */
export function setAttributes(
  place: Place,
  attributes: Attributes,
  { isSymlink = false, exact = false }: SetOptions = {},
): void {
  if (isSymlink || place.name.length === 0) {
    setThrough(place, attributes, { isSymlink, exact });
    return;
  }
  // chmod(2) follows links, and may do nothing else before Linux 6.6.
  using pinned = openat2(place.directory, place.name, { flags: O_PATH | O_NOFOLLOW });
  setThrough({ directory: pinned, name: "" }, attributes, { isSymlink, exact });
}

function setThrough(
  { directory, name }: Place,
  attributes: Attributes,
  { isSymlink, exact }: SetOptions,
): void {
  fchownat(directory, name, attributes);
  if (!isSymlink) fchmodat(directory, name, attributes.mode);
  if (!attributes.xattrs) return;
  for (const [attribute, value] of attributes.xattrs) {
    if (!exact && isOverlayAttribute(attribute)) continue;
    try {
      setXattr(directory, name, attribute, value);
    } catch (error) {
      const isForeign = isFault(error, "unsupported") || (isSymlink && isFault(error, "denied"));
      if (!isForeign) throw error;
    }
  }
}

/** All extended attributes, the overlay's own only if `exact`; undefined for a file without any. */
export function readXattrs(
  place: Place,
  { exact = false }: Pick<SetOptions, "exact"> = {},
): Map<string, Uint8Array> | undefined {
  const names = listXattr(place.directory, place.name);
  let found: Map<string, Uint8Array> | undefined;
  for (const name of names) {
    if (!exact && isOverlayAttribute(name)) continue;
    const value = getXattr(place.directory, place.name, name);
    if (!value) continue;
    found ??= new Map();
    found.set(name, value);
  }
  return found;
}
