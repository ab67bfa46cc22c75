import type { Descriptor, Digest } from "#image";
import type { CacheReader } from "./cache-place.ts";
import type { ImageLayout } from "./contract.ts";

/** A cache in an OCI layout of a client's. */
export class LayoutCache implements CacheReader {
  readonly name: string;
  readonly #layout: ImageLayout;
  readonly #wanted: string;

  /** @param wanted a digest or a tag */
  constructor(layout: ImageLayout, { name, wanted }: { name: string; wanted: string }) {
    this.name = name;
    this.#layout = layout;
    this.#wanted = wanted;
  }

  async manifest(digest: Digest | undefined, signal: AbortSignal): Promise<Uint8Array> {
    return (await this.#layout.manifest(digest ?? this.#wanted, { signal })).bytes;
  }

  blob(
    descriptor: Descriptor,
    options: { readonly signal?: AbortSignal },
  ): AsyncIterable<Uint8Array> {
    return this.#layout.blob(descriptor, options);
  }
}
