import { compareApiVersions } from "#wire";

/**
 * What changed in Docker's API after 1.24, and the version that brought it; a client of an older
 * one gets what was before. From the API's version history and from dockerd 28.5, asked for every
 * endpoint in every version.
 */
const since = {
  /** The engine removes containers that were created with AutoRemove. */
  autoRemove: "1.25",
  /** Lists of networks leave out the containers. */
  shortNetworkList: "1.28",
  /** `wait` takes a condition, and sends its headers at once. */
  waitCondition: "1.30",
  /** A pull takes a platform. */
  pullPlatform: "1.32",
  /** A wait for a removal that fails is answered with the error; before, with nothing. */
  waitError: "1.34",
  /** Containers have private IPC by default; NonRecursive of binds and PidsLimit of updates count. */
  privateIpc: "1.40",
  /** Stats take `one-shot`, create a platform; `filter` of the list of images is gone. */
  oneShot: "1.41",
  /** Output has a content type of its own when it is in frames. */
  framedType: "1.42",
  /** `stop` and `restart` take a signal. */
  stopSignal: "1.42",
  /** `system df` takes the kinds of objects. */
  diskUsageType: "1.42",
  /** A prune leaves volumes with names alone. */
  anonymousPrune: "1.42",
  /** Volumes of a cluster. */
  clusterVolumes: "1.42",
  /** Lists of images take `shared-size`. */
  sharedSize: "1.42",
  /** The size of a terminal is part of create; so is CreateMountpoint; kernel memory is gone. */
  consoleSize: "1.42",
  /** Annotations of containers; images without a name have no names instead of `<none>`. */
  annotations: "1.43",
  /** Several networks at create, MAC addresses by network, read-only binds with all below, StartInterval. */
  endpointMac: "1.44",
  /** The size of an image is told once, and runtimes have a status. */
  singleSize: "1.44",
  /** Aliases are as they were given; images have no ContainerConfig; volumes have subpaths. */
  ownAliases: "1.45",
  /** A push takes a platform; `info` tells of containerd, lists of containers of annotations. */
  pushPlatform: "1.46",
  /** `info` no longer tells of registries that layers are not pushed to. */
  noForeignLayers: "1.47",
  /** Descriptors, mounts of images, priorities of gateways, platforms of history, load and save. */
  descriptor: "1.48",
  /** `info` tells of the firewall; inspect of an image takes a platform. */
  firewall: "1.49",
  /** The configuration of an image has no fields of containers; `info` no bridge filters. */
  ociConfig: "1.50",
  /** Lists of images count the containers. */
  containerCount: "1.51",
} as const;

/** A change of Docker's API, by its name in the table. */
export type ApiChange = keyof typeof since;

/** Whether a version of the API, as "1.44", has a change. */
export function hasChange(version: string, change: ApiChange): boolean {
  return compareApiVersions(version, since[change]) >= 0;
}
