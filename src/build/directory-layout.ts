import { createReadStream } from "node:fs";
import { Fault } from "#base";
import {
  type Descriptor,
  digestPath,
  type Index,
  isDigest,
  type ManifestDocument,
  manifestDocument,
  parseIndex,
} from "#image";
import {
  descriptorPath,
  O_DIRECTORY,
  O_PATH,
  openat2,
  openRegularFile,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "#kernel";
import { readContextFile } from "./context-files.ts";
import type { BuildContext, ImageLayout } from "./contract.ts";

const tagAnnotation = "org.opencontainers.image.ref.name";
const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

/**
 * The OCI layout in a context's directory (OCI Image Layout Specification 1.1). A tag is the
 * annotation of that name in index.json; an index with one image needs none.
 */
export class DirectoryLayout implements ImageLayout {
  readonly #context: BuildContext;

  constructor(context: BuildContext) {
    this.#context = context;
  }

  async manifest(reference: string): Promise<ManifestDocument> {
    const found = isDigest(reference) ? undefined : tagged(this.#index(), reference);
    const digest = found?.digest ?? reference;
    if (!isDigest(digest)) {
      const why = `the OCI layout has no image ${reference}`;
      throw new Fault("not_found", why, { about: reference });
    }
    const bytes = readContextFile(this.#context, `blobs/${digestPath(digest)}`);
    if (!bytes) {
      throw new Fault("not_found", `the OCI layout has no blob ${digest}`, { about: digest });
    }
    return manifestDocument(digest, bytes);
  }

  async *blob({ digest }: Descriptor): AsyncGenerator<Uint8Array, void> {
    const { directory } = this.#context;
    using root = openat2(undefined, directory, { flags: O_PATH | O_DIRECTORY });
    using found = openat2(root, `blobs/${digestPath(digest)}`, { flags: O_PATH, resolve });
    using file = openRegularFile(found, "");
    if (!file) throw new Fault("invalid", `the blob ${digest} of the OCI layout is no file`);
    yield* createReadStream(descriptorPath(file), { highWaterMark: 256 << 10 });
  }

  #index(): Index {
    const bytes = readContextFile(this.#context, "index.json");
    if (!bytes) {
      throw new Fault("invalid", "the context is no OCI layout: it has no index.json", {
        about: "index.json",
      });
    }
    return parseIndex(bytes, "index.json");
  }
}

function tagged({ manifests }: Index, tag: string): Descriptor | undefined {
  const found = manifests.find(({ annotations }) => annotations?.[tagAnnotation] === tag);
  const [only] = manifests;
  return found ?? (manifests.length === 1 && tag === "latest" ? only : undefined);
}
