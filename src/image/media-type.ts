/** Media types of image-spec media-types.md and of Docker's image manifest version 2, schema 2. */
export const mediaTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  layerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  /** Stands where an artifact has no configuration; its bytes are "{}" (image-spec manifest.md). */
  empty: "application/vnd.oci.empty.v1+json",
  /** Says which layers of a cache belong to which steps of builds (cache/remotecache/v1 of moby/buildkit). */
  cacheConfig: "application/vnd.buildkit.cacheconfig.v0",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerLayerZstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
} as const;

/** A manifest of one image, OCI's or Docker's schema 2. */
export function isManifestType(mediaType: string): boolean {
  return mediaType === mediaTypes.manifest || mediaType === mediaTypes.dockerManifest;
}

/** A manifest of manifests: OCI's index or Docker's manifest list. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.index || mediaType === mediaTypes.dockerIndex;
}

/** An image's configuration, OCI's or Docker's. */
export function isConfigType(mediaType: string): boolean {
  return mediaType === mediaTypes.config || mediaType === mediaTypes.dockerConfig;
}

/** Layers of file system changes, the non-distributable ("foreign") kinds included. */
export function isLayerType(mediaType: string): boolean {
  return (
    /^application\/vnd\.oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+(gzip|zstd))?$/.test(
      mediaType,
    ) ||
    /^application\/vnd\.docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.(gzip|zstd))?$/.test(
      mediaType,
    )
  );
}
