import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#base";
import {
  type Descriptor,
  encodeDocument,
  familiarString,
  type Index,
  mediaTypes,
  parseIndex,
  type Reference,
} from "#image";

/** Names where each manifest of a list came from: its repository holds the blobs. */
export const sourceAnnotation = "io.thimble.source";

/**
 * Manifest lists that are being put together, each a file of its own, until they are
 * pushed. A file is an image index whose entries carry their source.
 */
export class ManifestLists {
  readonly #directory: string;

  /** `configDirectory`: Docker's, as "~/.docker". */
  constructor(configDirectory: string) {
    this.#directory = join(configDirectory, "thimble", "manifests");
  }

  async get(name: Reference): Promise<Index> {
    const found = await this.find(name);
    if (found) return found;
    const shown = familiarString(name);
    throw new Fault(
      "not_found",
      `No such manifest list: ${shown}; make one with "thimble manifest create ${shown} MANIFEST..."`,
      { about: shown },
    );
  }

  async find(name: Reference): Promise<Index | undefined> {
    const path = this.#path(name);
    let bytes: Buffer;
    try {
      bytes = await readFile(path);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new Fault("invalid", `cannot read ${path}: ${String(cause)}`, { about: path, cause });
    }
    return parseIndex(bytes, path);
  }

  async put(name: Reference, entries: readonly Descriptor[]): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const path = this.#path(name);
    const part = `${path}.${process.pid}`;
    const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: entries };
    await writeFile(part, encodeDocument(index), { mode: 0o600 });
    await rename(part, path);
  }

  async remove(name: Reference): Promise<void> {
    await this.get(name);
    await rm(this.#path(name), { force: true });
  }

  /** By hash: a name is longer than a file's may be. */
  #path(name: Reference): string {
    const hash = createHash("sha256").update(familiarString(name)).digest("hex");
    return join(this.#directory, `${hash}.json`);
  }
}
