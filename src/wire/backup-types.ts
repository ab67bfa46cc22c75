/** The engine's answers about backups of volumes; thimble's own. */

/** `aux` of the last message of POST /thimble/v1/volumes/NAME/backup. */
export interface BackupMade {
  readonly Tag: string;
  readonly Digest: string;
  /** Bytes of the volume as an archive. */
  readonly Size: number;
  readonly Chunks: number;
  /** Bytes that were sent. */
  readonly Sent: number;
  /** Backups that were not kept any longer. */
  readonly Removed: readonly string[];
  readonly Warnings: readonly string[];
}

/** `aux` of the last message of POST /thimble/v1/volumes/NAME/restore. */
export interface BackupRestored {
  readonly Volume: string;
  readonly Tag: string;
  /** Bytes that came. */
  readonly Received: number;
  readonly Entries: number;
}

/** 200 of POST /thimble/v1/backups: newest first. */
export interface BackupEntry {
  readonly Tag: string;
  readonly Volume: string;
  /** RFC 3339, in seconds. */
  readonly Created: string;
}

/** 200 of GET /thimble/v1/backups: what the engine backs up by itself. */
export interface BackupScheduleEntry {
  readonly Volume: string;
  readonly Place: string;
  /** Seconds. */
  readonly Every: number;
  readonly KeepLast: number | null;
  readonly KeepDaily: number | null;
  readonly Encrypted: boolean;
  readonly Snapshot: boolean;
  /** RFC 3339: when the last one began; "" before the first. */
  readonly Last: string;
  /** The last one that succeeded. */
  readonly Tag: string;
  /** Why the last one failed; "" when it did not. */
  readonly Error: string;
  readonly Next: string;
}

/** 200 of POST /thimble/v1/volumes/NAME/backup/prune. */
export interface BackupsPruned {
  readonly Removed: readonly string[];
  /** Bytes; null where a registry frees them itself. */
  readonly Freed: number | null;
}
