import type { CacheReader, CacheRepository, CacheWriter } from "#build";
import { canonicalName, type Descriptor, type Digest, type Reference } from "#image";
import type { Repository } from "#registry-client";
import type { Parts } from "../parts.ts";
import { credentialSource } from "../transfer/registries.ts";
import type { CredentialLookup } from "../transfer/registry-contract.ts";

type CacheParts = Parts<"registry" | "content">;

/** A cache of builds in a repository of a registry, under a tag. */
export class RegistryCache implements CacheReader, CacheWriter {
  readonly name: string;
  readonly kind = "registry";
  readonly givesChunks = true;
  readonly #parts: CacheParts;
  readonly #reference: Reference;
  readonly #credentials: CredentialLookup;
  #repository: Promise<Repository> | undefined;

  constructor(
    parts: CacheParts,
    { reference, name }: CacheRepository,
    credentials: CredentialLookup,
  ) {
    this.name = name;
    this.#parts = parts;
    this.#reference = reference;
    this.#credentials = credentials;
  }

  async manifest(digest: Digest | undefined, signal: AbortSignal): Promise<Uint8Array> {
    const repository = await this.#open();
    const { digest: own, tag = "latest" } = this.#reference;
    return (await repository.manifest(digest ?? own ?? tag, { signal })).bytes;
  }

  async *blob(
    { digest, size }: Descriptor,
    options: { readonly signal?: AbortSignal },
  ): AsyncGenerator<Uint8Array, void> {
    yield* (await this.#open()).blob({ digest, size }, options);
  }

  async putBlob(
    { digest, size }: Pick<Descriptor, "digest" | "size">,
    content: (offset: number) => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const { domain, path } = this.#reference;
    const mountFrom = this.#parts.content
      .sourcesOf(digest)
      .filter((source) => source.startsWith(`${domain}/`) && source !== `${domain}/${path}`)
      .map((source) => source.slice(domain.length + 1));
    await (await this.#open()).putBlob({ digest, size }, content, { mountFrom, signal });
    const { content: store } = this.#parts;
    if (store.has(digest)) store.noteSource(digest, canonicalName(this.#reference));
  }

  async putManifest(
    bytes: Uint8Array,
    { mediaType, digest }: Descriptor,
    signal: AbortSignal,
  ): Promise<void> {
    const { tag } = this.#reference;
    await (await this.#open()).putManifest(tag ?? digest, bytes, mediaType, { signal });
  }

  #open(): Promise<Repository> {
    this.#repository ??= this.#parts
      .registry(credentialSource(this.#reference.domain, this.#credentials))
      .then((client) => client.repository(this.#reference));
    return this.#repository;
  }
}
