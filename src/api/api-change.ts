import { compareApiVersions } from "#wire";

/**
 * What changed in Docker's API after 1.24, and the version that brought it; a client of an older
 * one gets what was before. From the API's version history and from dockerd 28.5, asked for every
 * endpoint in every version.
 */
const since = {
  /** The engine removes containers that were created with AutoRemove. */
  autoRemove: "1.25",
  /** Messages of a websocket are binary; before, text. */
  binaryMessages: "1.28",
  /** Lists of networks leave out the containers. */
  shortNetworkList: "1.28",
  /** `wait` takes a condition, and sends its headers at once. */
  waitCondition: "1.30",
  /** A pull takes a platform. */
  pullPlatform: "1.32",
  /** A wait for a removal that fails is answered with the error; before, with nothing. */
  waitError: "1.34",
  /** Containers have private IPC by default, and NonRecursive of binds counts. */
  privateIpc: "1.40",
  /** An update takes PidsLimit. */
  pidsUpdate: "1.40",
  /** Stats take `one-shot`. */
  oneShot: "1.41",
  /** Create takes a platform. */
  createPlatform: "1.41",
  /** `filter` of the list of images, a pattern for names, is gone. */
  referenceFilter: "1.41",
  /** Output has a content type of its own when it is in frames. */
  framedType: "1.42",
  /** Attaching over a websocket takes the streams; before, all were meant. */
  websocketStreams: "1.42",
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
  /** Create and exec take the size of the terminal. */
  consoleSize: "1.42",
  /** CreateMountpoint of binds counts, and the options of other types of mounts are looked at. */
  mountOptions: "1.42",
  /** Limits of kernel memory are gone. */
  noKernelMemory: "1.42",
  /** Annotations of containers. */
  annotations: "1.43",
  /** Images without a name have empty lists of names; before, `<none>` or null. */
  emptyNames: "1.43",
  /** A container may be created in several networks, with a MAC address in each. */
  endpointMac: "1.44",
  /** Binds that are read-only are so with all that is mounted below them. */
  readOnlyBelow: "1.44",
  /** The size of an image is told once. */
  singleSize: "1.44",
  /** Aliases in networks are as they were given. */
  ownAliases: "1.45",
  /** Images have no ContainerConfig. */
  noContainerConfig: "1.45",
  /** A part of a volume can be mounted. */
  volumeSubpath: "1.45",
  /** A push takes a platform. */
  pushPlatform: "1.46",
  /** `info` no longer tells of registries that layers are not pushed to. */
  noForeignLayers: "1.47",
  /** Images have descriptors, and their manifests are listed. */
  descriptor: "1.48",
  /** Images can be mounted, and networks have priorities of gateways. */
  imageMounts: "1.48",
  /** History, load and save take a platform. */
  archivePlatform: "1.48",
  /** A prune of the build cache takes several limits. */
  buildLimits: "1.48",
  /** Inspect of an image takes a platform. */
  inspectPlatform: "1.49",
  /** A removal of an image takes platforms. */
  removedPlatforms: "1.50",
  /** The configuration of an image has no fields of containers. */
  ociConfig: "1.50",
  /** `info` no longer tells of packet filters of bridges. */
  noBridgeFilters: "1.50",
  /** Lists of images count the containers. */
  containerCount: "1.51",
} as const;

/** A change of Docker's API, by its name in the table. */
export type ApiChange = keyof typeof since;

/** Whether a version of the API, as "1.44", has a change. */
export function hasChange(version: string, change: ApiChange): boolean {
  return compareApiVersions(version, since[change]) >= 0;
}
