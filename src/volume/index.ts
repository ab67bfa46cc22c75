/**
 * volume: directories under a name that outlive the containers they are mounted in.
 *
 * `openVolumes` gives the volumes of one data root: rows in SQLite, data in
 * DATA_ROOT/volumes/NAME/_data. A volume of Docker's driver "local" with the options type,
 * device and o is a mount, made on that directory when the first holder comes and undone
 * when the last one goes; other drivers are plugins of Docker's protocol, which have the
 * data. A volume of ours has snapshots, clones and, where the file system counts, a limit.
 *
 * A holder is a run of a container. The module knows no containers: who may remove a
 * volume, and which ones are in use, is the engine's to say.
 */

export type {
  Volume,
  VolumeQuota,
  VolumeRequest,
  VolumeSnapshot,
  VolumeSource,
  Volumes,
} from "./contract.ts";
export { volumeCrashPoints } from "./crash-point.ts";
export { openVolumes, type VolumesOptions } from "./volumes.ts";
