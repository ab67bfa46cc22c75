/** The engine's answers about images, named and spelled as in Docker's API. */

/**
 * One member of GET /images/json. Sizes are bytes; -1 stands for a number that was not asked for.
 */
export interface ImageSummary {
  readonly Containers: number;
  /** Seconds since the epoch. */
  readonly Created: number;
  readonly Id: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly ParentId: string;
  /** Before API 1.43, and in the usage of disks, null in the place of an empty list. */
  readonly RepoDigests: readonly string[] | null;
  readonly RepoTags: readonly string[] | null;
  readonly SharedSize: number;
  readonly Size: number;
  /** Before API 1.44: the same as Size. */
  readonly VirtualSize?: number;
}

/** An OCI descriptor (image-spec descriptor.md); `size` in bytes. */
export interface WireDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** From API 1.48 on: one manifest of an image. */
export interface ImageManifest {
  readonly ID: string;
  readonly Descriptor: WireDescriptor;
  readonly Available: boolean;
  readonly Size: { readonly Content: number; readonly Total: number };
  readonly Kind: "image" | "attestation" | "unknown";
  readonly ImageData?: {
    readonly Platform: {
      readonly architecture: string;
      readonly os: string;
      readonly variant?: string;
    };
    readonly Containers: readonly string[];
    readonly Size: { readonly Unpacked: number };
  };
}

/** 200 of GET /images/NAME/json; `Size` in bytes, times in RFC 3339. */
export interface ImageInspect {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Parent: string;
  readonly Comment: string;
  readonly Created: string;
  readonly DockerVersion: string;
  readonly Author: string;
  readonly Config: Readonly<Record<string, unknown>>;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly Os: string;
  readonly Size: number;
  readonly GraphDriver: { readonly Data: unknown; readonly Name: string };
  readonly RootFS: { readonly Type: string; readonly Layers: readonly string[] };
  readonly Metadata: { readonly LastTagTime: string };
  /** From API 1.48 on, as the next. */
  readonly Descriptor?: WireDescriptor;
  readonly Manifests?: readonly ImageManifest[];
}

/** One member of GET /images/NAME/history, the latest first. */
export interface ImageHistoryEntry {
  readonly Comment: string;
  /** Seconds since the epoch. */
  readonly Created: number;
  readonly CreatedBy: string;
  /** "<missing>" for all but the image itself, as no layer is an image. */
  readonly Id: string;
  /** Bytes of the layer; 0 for a step without one. */
  readonly Size: number;
  readonly Tags: readonly string[] | null;
}

export type ImageDeleteEntry = { readonly Untagged: string } | { readonly Deleted: string };

/** 200 of POST /images/prune; `SpaceReclaimed` in bytes. */
export interface ImagesPruneResponse {
  readonly ImagesDeleted: readonly ImageDeleteEntry[] | null;
  readonly SpaceReclaimed: number;
}
