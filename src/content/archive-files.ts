import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { posix } from "node:path";
import { Fault } from "#base";
import { type Digest, maxDocumentBytes, mediaTypes } from "#image";
import { type Compression, detectCompression, type ExplodedMember } from "#layer";
import { showName } from "#tar";

export interface ArchiveFile {
  /** The file's place. */
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
  /** Its media type as a layer, by its first bytes; from its descriptor if it has one. */
  readonly mediaType: string;
}

const maxLinks = 10;
const layerTypes: Readonly<Record<Compression, string>> = {
  none: mediaTypes.layer,
  gzip: mediaTypes.layerGzip,
  zstd: mediaTypes.layerZstd,
};

/** The members of an exploded archive by name; links are followed inside the archive. */
export class ArchiveFiles {
  readonly #members: ReadonlyMap<string, ExplodedMember>;

  constructor(members: readonly ExplodedMember[]) {
    const top = commonDirectory(members);
    const own = members.filter(({ name }) => name.startsWith(top));
    this.#members = new Map(own.map((member) => [member.name.slice(top.length), member]));
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  get(name: string): ArchiveFile {
    const file = this.#find(name)?.file;
    if (!file) {
      throw new Fault(
        "not_found",
        `the archive names ${showName(name)}, but does not hold it; it is incomplete`,
        { about: name },
      );
    }
    return { ...file, mediaType: layerTypeOf(file.path) };
  }

  /** A file whole; at most 4 MiB. */
  document(name: string): Buffer {
    const { path, size } = this.get(name);
    if (size > maxDocumentBytes) {
      throw new Fault(
        "exhausted",
        `${showName(name)} of the archive has ${size} bytes, more than ${maxDocumentBytes}`,
        { about: name },
      );
    }
    return readFileSync(path);
  }

  #find(name: string): (ExplodedMember & { readonly file: object }) | undefined {
    let at = posix.normalize(name).replace(/^\/+/, "");
    for (let links = 0; links < maxLinks; links++) {
      const member = this.#members.get(at);
      if (member?.file) return { ...member, file: member.file };
      if (member?.type === "symlink") at = posix.join(posix.dirname(at), member.linkName);
      else if (member?.type === "hardlink") at = posix.normalize(member.linkName);
      else return undefined;
    }
    return undefined;
  }
}

/** "layout/" when all is in one directory, as in an archive of a layout's directory; else "". */
function commonDirectory(members: readonly ExplodedMember[]): string {
  const marks = ["oci-layout", "index.json", "manifest.json"];
  if (members.some(({ name }) => marks.includes(name))) return "";
  const found = members.find(({ name }) =>
    /^[^/]+\/(oci-layout|index\.json|manifest\.json)$/.test(name),
  );
  const top = found ? found.name.slice(0, found.name.indexOf("/") + 1) : "";
  const isAll = members.every(({ name }) => name === "" || `${name}/`.startsWith(top));
  return isAll ? top : "";
}

/** By its first bytes. */
export function layerTypeOf(path: string): string {
  const head = Buffer.alloc(8);
  const fd = openSync(path, "r");
  try {
    const size = readSync(fd, head, 0, head.length, 0);
    return layerTypes[detectCompression(head.subarray(0, size))];
  } finally {
    closeSync(fd);
  }
}

/** The OCI media type of a layer stored in this compression. */
export function layerMediaType(compression: Compression): string {
  return layerTypes[compression];
}
