import type { BackupTag, BucketAccess, Retention } from "#backup";
import type { Credentials } from "#base";
import type { KeyHolders, KeyOpener } from "#chunk";
import type { Digest } from "#image";
import type { Volume, VolumeRequest } from "#volume";

export type { BackupTag, BucketAccess, KeyHolders, KeyOpener, Retention };

/** Where backups are, and what lets us in there. */
export interface BackupPlace {
  /** "/DIRECTORY", "s3://BUCKET[/PREFIX]" or "[HOST/]REPOSITORY[:TAG]". */
  readonly text: string;
  /** For a registry. */
  readonly credentials?: Credentials | undefined;
  /** For a bucket. */
  readonly bucket?: BucketAccess | undefined;
}

/** A volume to back up. */
export interface BackupRequest {
  /** "data", or "data@monday" for its snapshot of that tag. */
  readonly volume: string;
  /** Whether a snapshot is made for it, for which containers that run with the volume stand still. */
  readonly fromSnapshot?: boolean | undefined;
  readonly place: BackupPlace;
  /** The name of the backup; absent: "VOLUME-TIME". */
  readonly tag?: string | undefined;
  /** Encrypts it for those. */
  readonly holders?: KeyHolders | undefined;
  /** Older backups that this does not keep are removed afterwards. */
  readonly retention: Retention;
  /** Seconds: the engine makes further backups as often from now on. */
  readonly every?: number | undefined;
}

/** A backup that was made. */
export interface MadeBackup {
  readonly tag: string;
  /** Of its manifest. */
  readonly digest: Digest;
  /** Bytes of the volume as an archive. */
  readonly size: number;
  readonly chunks: number;
  /** Bytes that were sent. */
  readonly sent: number;
  /** Backups that the retention did not keep. */
  readonly removed: readonly string[];
  readonly warnings: readonly string[];
}

/** A backup to restore. */
export interface RestoreRequest {
  /** The name of the volume to make. */
  readonly volume: string;
  readonly owner: VolumeRequest["owner"];
  readonly place: BackupPlace;
  /** Absent: the tag in the place, else the newest backup there. */
  readonly tag?: string | undefined;
  /** Whether the files of a volume that has some are replaced. */
  readonly replaces: boolean;
  /** For an encrypted backup; not needed where this engine made it. */
  readonly opener?: KeyOpener | undefined;
}

/** A volume that was restored. */
export interface RestoredVolume {
  readonly volume: Volume;
  readonly tag: string;
  /** Bytes that came. */
  readonly received: number;
  readonly entries: number;
}

/** A step of a backup or restore, in bytes. */
export interface BackupStep {
  readonly step: "reading" | "sending" | "fetching" | "unpacking";
  readonly current: number;
  readonly total?: number | undefined;
}

/** Receives steps in order and often; it must not throw. */
export type BackupReport = (step: BackupStep) => void;

/** Backups that the engine makes by itself. */
export interface BackupSchedule {
  readonly volume: string;
  readonly destination: string;
  /** Seconds. */
  readonly every: number;
  readonly retention: Retention;
  readonly encrypted: boolean;
  readonly fromSnapshot: boolean;
  /** Milliseconds since the epoch: when the last one began; absent: none has. */
  readonly last?: number | undefined;
  /** The last one that succeeded. */
  readonly tag?: string | undefined;
  /** Why the last one failed; absent: it did not. */
  readonly error?: string | undefined;
  /** When the next one is due. */
  readonly next: number;
}

/**
 * Backups of volumes in registries, directories and buckets of S3. One operation at a time works at
 * a place. Faults are those of `RegistryClient`, `invalid` for a place that is none, `data_loss` for a
 * backup that was cut or altered.
 */
export interface EngineBackups {
  /** Makes a backup now, and with `every` from now on. It exists whole or not at all. */
  create(request: BackupRequest, report: BackupReport, signal: AbortSignal): Promise<MadeBackup>;
  /**
   * Makes a volume of a backup, which then has all of its files or none. `exists` for a volume that
   * has files unless it `replaces`, `denied` for an encrypted backup that cannot be opened.
   */
  restore(
    request: RestoreRequest,
    report: BackupReport,
    signal: AbortSignal,
  ): Promise<RestoredVolume>;
  /** The backups at a place, newest first. */
  list(place: BackupPlace, signal: AbortSignal): Promise<readonly BackupTag[]>;
  /** Removes the backups of a volume that the retention does not keep; `freed` is absent where a registry frees the space itself. */
  prune(
    request: {
      readonly volume: string;
      readonly place: BackupPlace;
      readonly retention: Retention;
    },
    signal: AbortSignal,
  ): Promise<{ readonly removed: readonly string[]; readonly freed: number | undefined }>;
  /** Ends a schedule; `not_found` when there is none. */
  unschedule(volume: string, destination: string): Promise<void>;
  /** All schedules, by volume and place. */
  schedules(): readonly BackupSchedule[];
}
