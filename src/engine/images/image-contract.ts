import type { Descriptor, Digest, ImageConfig } from "#image";
import type { Filters } from "../contract.ts";
import type {
  ArtifactPush,
  PullRequest,
  PushRequest,
  TransferReport,
} from "../transfer/registry-contract.ts";

/** An image as it is listed. */
export interface ImageSummary {
  readonly id: Digest;
  /** "name:tag", familiar form as Docker prints it ("debian:latest"). */
  readonly tags: readonly string[];
  /** "name@sha256:...". */
  readonly digests: readonly string[];
  /** Seconds since the epoch. */
  readonly created: number;
  /** Bytes on disk, unpacked. */
  readonly size: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Number of containers that use it. */
  readonly containers: number;
  /** The image of the container that it was committed from, if that is still here. */
  readonly parent?: Digest;
}

/** An image as it is inspected. */
export interface ImageDetail extends ImageSummary {
  readonly config: ImageConfig;
  /** The descriptor of its manifest. */
  readonly descriptor: Descriptor;
  /** Bytes of its blobs, as they are pulled. */
  readonly contentSize: number;
  /** Directories of its layers, uppermost first. */
  readonly layerDirectories: readonly string[];
  readonly lastTagged?: bigint;
}

export type ImageDeletion = { readonly untagged: string } | { readonly deleted: Digest };

/** One record of a progress stream, as Docker's JSON messages carry them. */
export interface Progress {
  readonly id?: string;
  readonly status: string;
  readonly current?: number;
  readonly total?: number;
}

/** The images of one engine. A name without tag and digest is ":latest". */
export interface Images {
  /**
   * Newest first; `all` changes nothing, since no image is hidden. `invalid` for an unknown filter.
   */
  list(options: {
    readonly all: boolean;
    readonly filters: Filters;
  }): Promise<readonly ImageSummary[]>;
  /** By id, unique id prefix, or reference. */
  get(ref: string): Promise<ImageDetail>;
  /** The id that `get` would give, without reading the image; undefined when there is none. */
  idOf(ref: string): Digest | undefined;
  /** The names that a save takes: all tags of a repository that is named alone, else the name itself. `not_found`. */
  savedNames(ref: string): readonly string[];
  /**
   * The steps by which the image was made, the latest first; `created` in seconds, `size` in bytes.
   */
  history(ref: string): Promise<
    readonly {
      readonly id: Digest | "<missing>";
      readonly created: number;
      readonly createdBy: string;
      readonly tags: readonly string[];
      readonly size: number;
      readonly comment: string;
    }[]
  >;
  /** Gives an image a further name, and takes it from the image that had it. */
  tag(source: string, target: string): Promise<void>;
  /** Fetches an image, or all of a repository; blobs that are stored already are not fetched again. */
  pull(request: PullRequest, report: TransferReport, signal: AbortSignal): Promise<void>;
  /** Sends an image, or all of a repository, to where its name says. */
  push(request: PushRequest, report: TransferReport, signal: AbortSignal): Promise<void>;
  /** Sends what a build has made, which need not be an image of this engine. */
  pushArtifact(request: ArtifactPush, signal: AbortSignal): Promise<void>;
  /**
   * Takes a name away, and removes the image with its last one. `conflict` for an image that a
   * container uses, unless `force`; that of a running container always stays.
   */
  remove(
    ref: string,
    options: { readonly force: boolean; readonly prune: boolean },
  ): Promise<readonly ImageDeletion[]>;
  /**
   * Removes images without a name that no container uses, with `dangling=false` all that none uses;
   * `bytes` is the disk space that became free.
   */
  prune(
    filters: Filters,
  ): Promise<{ readonly deleted: readonly ImageDeletion[]; readonly bytes: number }>;
  /**
   * Takes in the images of an archive of `docker save` or of an OCI layout, as a tar, compressed or
   * not; gives one entry for each image and name.
   */
  load(
    archive: AsyncIterable<Uint8Array>,
    options: {
      /** The platform to take of an image for several; absent: the host's. */
      readonly platform?: string | undefined;
    },
    report: (progress: Progress) => void,
  ): Promise<readonly { readonly id: Digest; readonly tag?: string }[]>;
  /** An image that is unknown, or not for the platform, is a Fault before the first byte. */
  save(
    refs: readonly string[],
    options?: {
      readonly platform?: string | undefined;
      /**
       * The compression of all layers, as "zstd:3", or "keep". Absent: gzip in the place of zstd.
       */
      readonly compression?: string | undefined;
      /** The names that the images have in the archive, familiar; absent: those by which they are asked for. */
      readonly tags?: readonly string[] | undefined;
    },
  ): AsyncIterable<Uint8Array>;
  /** All files of an image, read-only, in a directory of the engine's until it is disposed of. */
  files(ref: string): Promise<AsyncDisposable & { readonly directory: string }>;
  /** Files of an image as a tar, without a container. */
  archive(ref: string, request: ArchiveRequest): Promise<ImageArchive>;
  /** One root file system tar, compressed or not, becomes an image of one layer. */
  import(
    archive: AsyncIterable<Uint8Array>,
    options: {
      readonly reference?: string;
      readonly message?: string;
      readonly changes: readonly string[];
      readonly platform?: string;
      /** Nanoseconds since the epoch (SOURCE_DATE_EPOCH); absent: now. */
      readonly created?: bigint;
    },
    report: (progress: Progress) => void,
  ): Promise<Digest>;
  /** Makes an image by a method of `rootfs`. */
  make(
    request: MakeImageRequest,
    report: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<Digest>;
}

/** The files to read. */
export interface ArchiveRequest {
  /** In the image; links in it lead within the image. */
  readonly path: string;
  /** Also follows the last part when it is a link. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** Keeps the files that it reads until it is disposed. */
export interface ImageArchive extends AsyncDisposable {
  /** The last part of the path; "/" for the root. */
  readonly name: string;
  readonly size: number;
  /** As st_mode of stat(2). */
  readonly mode: number;
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint;
  /** The target of a link; "" for any other file. */
  readonly linkTarget: string;
  /** A directory as "./" and its entries, anything else under its name. */
  readonly tar: AsyncIterable<Uint8Array>;
}

export type MakeImageRequest =
  | {
      readonly method: "scratch";
      readonly reference: string /** A tar of the files as they shall stand in the image. */;
      readonly files: AsyncIterable<Uint8Array>;
      readonly cmd?: readonly string[];
      /** Nanoseconds since the epoch: the image's time and the latest of its files (SOURCE_DATE_EPOCH); absent: now. */
      readonly created?: bigint;
    }
  | {
      readonly method: "debootstrap";
      readonly reference: string;
      readonly suite: string;
      readonly variant: "minbase" | "buildd" | "-";
      readonly include: readonly string[];
      readonly mirror?: string;
      readonly keyring?: string;
    };
