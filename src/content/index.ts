/**
 * content: the store of blobs and images: how they are added, listed and removed.
 *
 * Blobs are files named by their digest, verified before they get the name. An image
 * is a manifest, a configuration (its digest is the image's id) and layers, which are
 * unpacked once into snapshots by chain id and shared. Archives (docker save, OCI
 * layout) are loaded and saved; trees become images. Leases keep images that are being made
 * from being collected. It mounts nothing and does not know containers: the
 * caller that removes an image says which containers use it. Life cycle: `openDataRoot`,
 * which settles what a crash left.
 */

export type { BuiltOptions, CommitOptions, PlaceOptions } from "./commit-layer.ts";
export type { ComposedLayer, ComposeOptions } from "./compose-image.ts";
export { Content, type ContentOptions } from "./content.ts";
export { contentCrashPoints } from "./crash-point.ts";
export type { ImportOptions, TreeOptions, UpperOptions } from "./create-image.ts";
export { type DataRoot, type DataRootOptions, openDataRoot } from "./data-root.ts";
export type { ContentUsage, ImageUsage } from "./disk-usage.ts";
export type { FsckFinding, FsckKind, FsckOptions, FsckReport } from "./fsck.ts";
export type { Artifact, HeldImage } from "./hold-image.ts";
export type { ImageRemoval, ImageUser, RemoveOptions } from "./image-removal.ts";
export type { ImageStore } from "./image-store.ts";
export type { BlobSource, LayerPhase, LayerProgress } from "./layer-receiver.ts";
export type { Lease } from "./lease.ts";
export type { LoadedImage, LoadOptions } from "./load.ts";
export type { PullOptions } from "./pull.ts";
export type { RecompressedImage } from "./recompress.ts";
export { changed } from "./recompress.ts";
export type { ListedImage, StoredImage, StoredLayer } from "./stored-image.ts";
