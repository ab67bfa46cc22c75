import type { Credentials } from "#base";
import type { Artifact, LayerPhase } from "#content";
import type { Digest, Platform, Reference } from "#image";

/** The credentials for a registry's host ("docker.io", "registry.example:5000"), if there are any. */
export type CredentialLookup = (host: string) => Credentials | undefined;

/** An image to fetch. */
export interface PullRequest {
  /** A name with a tag or a digest; with neither it is ":latest". */
  readonly reference: string;
  /** Every tag of the repository; the reference then has no tag. */
  readonly all?: boolean;
  /** "linux/arm64/v8"; absent: the host's, or the nearest that runs here. */
  readonly platform?: string;
  readonly credentials: CredentialLookup;
}

/** An image to send. */
export interface PushRequest {
  /** A name with a tag, or with neither tag nor digest and `all`. */
  readonly reference: string;
  /** Every tag of the repository that is stored here. */
  readonly all?: boolean;
  /** Only if the image is for this platform. */
  readonly platform?: string;
  /**
   * The compression of all layers, as "zstd:3". Absent: each layer as it is, but plain ones of an
   * image that no registry has yet are compressed as the engine does by default.
   */
  readonly compression?: string;
  readonly credentials: CredentialLookup;
}

/** An artifact to send, whose blobs the caller holds, and the name that it gets. */
export interface ArtifactPush {
  readonly artifact: Artifact;
  readonly reference: Reference;
  readonly credentials: CredentialLookup;
}

/** How far a layer has come on its way here, in the words of the content store, or to a registry. */
export type LayerStep =
  | LayerPhase
  | "found"
  | "preparing"
  | "compressing"
  | "pushing"
  | "pushed"
  | "mounted"
  | "foreign";

/** The events of a pull or push, in order. Bytes are those that travel. */
export type TransferEvent =
  | { readonly kind: "pulling"; readonly path: string; readonly label: string }
  | {
      readonly kind: "layer";
      /** The beginning of a digest: of the blob in a pull, of the files (diff id) in a push. */
      readonly id: string;
      readonly step: LayerStep;
      readonly current?: number;
      readonly total?: number;
      /** The repository that a layer was mounted from. */
      readonly from?: string;
    }
  | { readonly kind: "pulled"; readonly digest: Digest }
  | { readonly kind: "complete"; readonly name: string; readonly isNew: boolean }
  /** One of all tags of a repository that is not an image. */
  | { readonly kind: "skipped"; readonly name: string; readonly reason: string }
  | {
      readonly kind: "other-platform";
      readonly name: string;
      readonly offered: string;
      readonly wanted: string;
    }
  | { readonly kind: "pushing"; readonly repository: string }
  | {
      readonly kind: "pushed";
      readonly tag: string;
      readonly digest: Digest;
      /** Bytes of the manifest. */
      readonly size: number;
    };

/** Receives the events of a pull or push, in order and often; it must not throw. */
export type TransferReport = (event: TransferEvent) => void;

/** A repository that a search found. */
export interface FoundRepository {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
}

/** Questions to registries that store nothing here. Faults are those of `RegistryClient`. */
export interface Registries {
  /** Checks credentials; `unauthenticated` when the registry does not take them. */
  login(host: string, credentials: Credentials): Promise<{ readonly identityToken?: string }>;
  /** The manifest that a registry has under a name, without fetching the image. */
  distribution(
    reference: string,
    credentials: CredentialLookup,
    signal: AbortSignal,
  ): Promise<{
    readonly mediaType: string;
    readonly digest: Digest;
    readonly size: number;
    readonly platforms: readonly Platform[];
  }>;
  /** Repositories by a word of their names; "HOST/word" asks another registry than Docker Hub. */
  search(
    term: string,
    options: { readonly limit?: number; readonly credentials: CredentialLookup },
  ): Promise<readonly FoundRepository[]>;
}
