import { type Descriptor, digestPath } from "#image";
import { type TarHeader, TarWriter } from "#tar";
import type { CacheWriter } from "./cache-place.ts";

type Content = Parameters<CacheWriter["putBlob"]>[1];

const file: Omit<TarHeader, "name" | "size"> = {
  ...{ type: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0n, linkName: "" },
};

/** The blobs of a cache as the tar of an OCI layout, whose index its client keeps. They are read when the tar is. */
export class LayoutArchive implements CacheWriter {
  readonly kind = "client directory";
  readonly #blobs = new Map<string, { readonly size: number; readonly content: Content }>();

  async putBlob({ digest, size }: Pick<Descriptor, "digest" | "size">, content: Content) {
    this.#blobs.set(`blobs/${digestPath(digest)}`, { size, content });
  }

  async putManifest(bytes: Uint8Array, manifest: Descriptor): Promise<void> {
    await this.putBlob(manifest, () => single(bytes));
  }

  async *stream(): AsyncGenerator<Uint8Array, void> {
    let ready: Uint8Array[] = [];
    const writer = new TarWriter((bytes) => ready.push(bytes.slice()));
    const take = () => {
      const taken = ready;
      ready = [];
      return taken;
    };
    for (const [name, { size, content }] of this.#blobs) {
      writer.entry({ ...file, name, size });
      for await (const chunk of content(0)) {
        writer.data(chunk);
        yield* take();
      }
    }
    writer.finish();
    yield* take();
  }
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}
