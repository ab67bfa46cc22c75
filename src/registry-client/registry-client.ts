import type { CredentialSource, Credentials, Log } from "#base";
import type { Descriptor, Digest, ManifestDocument, Reference } from "#image";
import type { Resolve } from "./address.ts";
import type { HostDirectory } from "./hosts.ts";
import type { Timeouts } from "./http-connection.ts";
import type { Environment } from "./proxy.ts";
import type { Backoff } from "./retry.ts";

/** The settings of one user's operation at registries. */
export interface RegistryClientOptions {
  readonly hosts: HostDirectory;
  readonly credentials?: CredentialSource | undefined;
  /** For HTTP_PROXY, HTTPS_PROXY and NO_PROXY; without it there is no proxy. */
  readonly environment?: Environment | undefined;
  readonly log?: Log | undefined;
  readonly retries?: Partial<Backoff> | undefined;
  readonly timeouts?: Partial<Timeouts> | undefined;
  /** Resolves names in place of the system. */
  readonly resolve?: Resolve | undefined;
}

/**
 * A client of any registry that speaks the OCI distribution specification 1.1. It holds
 * tokens and a few idle connections, which close by themselves and hold no process;
 * there is nothing to dispose. Make one for each user's operation.
 *
 * Faults: `not_found`, `unauthenticated` (no or wrong credentials), `denied`,
 * `exhausted` (rate limit, something too large), `unavailable` (unreachable, 5xx,
 * dropped) and `timeout` after all retries, `invalid` (it answers against the
 * specification), `data_loss` (not what its digest says), `unsupported`, `canceled`.
 */
export interface RegistryClient {
  /** The repository of a name, whose tag and digest are ignored. Nothing is sent yet. */
  repository(name: Reference): Repository;
  /** Checks credentials; an identity token in the answer is to be kept instead of the password. */
  login(
    host: string,
    credentials: Credentials,
    options?: OperationOptions,
  ): Promise<{ identityToken?: string }>;
  /** All repositories of a host, page by page, where it lists them. */
  catalog(host: string, options?: OperationOptions): AsyncIterable<string>;
  /** By the host's search where it has one (Docker Hub's /v1/search), else its catalogue filtered by the term. */
  search(term: string, options?: SearchOptions): Promise<readonly SearchResult[]>;
}

export interface OperationOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface SearchOptions extends OperationOptions {
  /** At most that many; 25 when left out, as Docker has it. */
  readonly limit?: number | undefined;
}

/** A repository that a search found. */
export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly starCount: number;
  readonly isOfficial: boolean;
  readonly isAutomated: boolean;
}

export interface BlobOptions extends OperationOptions {
  /** Bytes to leave out at the beginning. */
  readonly offset?: number | undefined;
}

export interface PutBlobOptions extends OperationOptions {
  /** Paths of repositories of the same host that may have the blob, to mount it from. */
  readonly mountFrom?: readonly string[] | undefined;
  /** Bytes that are sent, never more than the size; it may go back when an upload begins anew. */
  readonly onProgress?: ((sent: number) => void) | undefined;
  /** Sends chunks of this size instead of the whole in one request; never less than the registry asks for. */
  readonly chunkBytes?: number | undefined;
}

/**
 * One repository at a registry and its mirrors, which are asked first for reading. Faults as of
 * `RegistryClient`.
 */
export interface Repository {
  readonly name: Reference;
  /** The reader owns the chunks of a blob and may keep or transfer them; otherwise they are reused. */
  readonly givesChunks?: boolean;
  /** The descriptor of a tag or digest, without the manifest (HEAD; GET where that does not say it). */
  resolve(tagOrDigest: string, options?: OperationOptions): Promise<Descriptor>;
  /** A manifest or index of at most 4 MiB; its bytes are those of the digest, its media type is told by both sides alike. */
  manifest(tagOrDigest: string, options?: OperationOptions): Promise<ManifestDocument>;
  /**
   * The bytes of a blob in chunks of at most 512 KiB, as fast as they are read. Goes on with a
   * Range where a connection dropped or stalled, at another mirror too. Exactly the size,
   * or a Fault; whether they are what the digest says is for the caller to check. The
   * `urls` of a foreign layer are tried when the registry does not have it.
   */
  blob(
    descriptor: Pick<Descriptor, "digest" | "size" | "urls">,
    options?: BlobOptions,
  ): AsyncIterable<Uint8Array>;
  /** Whether the repository has the blob (HEAD); a mirror's answer counts. */
  hasBlob(digest: Digest, options?: OperationOptions): Promise<boolean>;
  /** Undefined when it is not there. */
  blobSize(digest: Digest, options?: OperationOptions): Promise<number | undefined>;
  /**
   * Brings a blob into the repository unless it is there: mounted from a neighbour, or
   * uploaded. `source` gives the bytes from an offset on and may be called again: after a
   * dropped connection the upload goes on where the registry says it is. A chunk must not
   * change after it was given.
   */
  putBlob(
    descriptor: Pick<Descriptor, "digest" | "size">,
    source: (offset: number) => AsyncIterable<Uint8Array>,
    options?: PutBlobOptions,
  ): Promise<"existed" | "mounted" | "uploaded">;
  /**
   * Uploads a manifest or index, whose blobs must be there. `data_loss` when the registry answers
   * with another digest than that of the bytes.
   */
  putManifest(
    tagOrDigest: string,
    bytes: Uint8Array,
    mediaType: string,
    options?: OperationOptions,
  ): Promise<{ digest: Digest }>;
  /** In the registry's order. */
  tags(options?: OperationOptions): AsyncIterable<string>;
  /**
   * The manifests whose subject this is: by the API, else by the tag "sha256-<hex>". An empty list
   * when there are none.
   */
  referrers(
    subject: Digest,
    options?: OperationOptions & { readonly artifactType?: string | undefined },
  ): Promise<readonly Descriptor[]>;
  /** `putManifest` of one with a subject, under its digest; lists it under the subject's tag where the registry does not keep referrers itself. */
  attachReferrer(bytes: Uint8Array, mediaType: string, options?: OperationOptions): Promise<Digest>;
  /** Also takes it off the subject's tag where the registry does not keep referrers itself. */
  deleteManifest(digest: Digest, options?: OperationOptions): Promise<void>;
}
