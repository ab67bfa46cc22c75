import { z } from "zod";
import { text } from "./schema-parts.ts";

const bucket = z.object({
  AccessKeyId: z.string().max(1024),
  SecretAccessKey: z.string().max(1024),
  SessionToken: text,
  Region: text,
  Endpoint: text,
});

const place = {
  /** "/DIRECTORY", "s3://BUCKET[/PREFIX]" or "[HOST/]REPOSITORY[:TAG]". */
  Place: z.string().min(1).max(4096),
  Bucket: bucket.nullish(),
};

const count = z.int().min(1).max(1_000_000).nullish();
const retention = { KeepLast: count, KeepDaily: count };
const secrets = z.array(z.string().max(10_000)).max(100).nullish();
const tag = z
  .string()
  .regex(/^\w[\w.-]{0,127}$/, "is no tag: letters, digits, '_', '.' and '-', 128 at most")
  .nullish();

/** The body of POST /thimble/v1/volumes/NAME/backup. */
export const backupCreateSchema = z.object({
  ...place,
  ...retention,
  Tag: tag,
  /** Whether a snapshot is made for it, for which containers stand still. */
  Snapshot: z.boolean().nullish(),
  /** Seconds. */
  Every: z.int().min(1).max(400_000_000).nullish(),
  Recipients: secrets,
  Passphrase: z.string().min(1).max(10_000).nullish(),
});

/** The body of POST /thimble/v1/volumes/NAME/restore. */
export const backupRestoreSchema = z.object({
  ...place,
  Tag: tag,
  Replace: z.boolean().nullish(),
  Identities: secrets,
  Passphrase: z.string().min(1).max(10_000).nullish(),
});

/** The body of POST /thimble/v1/volumes/NAME/backup/prune. */
export const backupPruneSchema = z.object({ ...place, ...retention });

/** The body of POST /thimble/v1/backups. */
export const backupListSchema = z.object(place);

export type BackupCreateBody = z.input<typeof backupCreateSchema>;
export type BackupRestoreBody = z.input<typeof backupRestoreSchema>;
export type BackupPruneBody = z.input<typeof backupPruneSchema>;
export type BackupListBody = z.input<typeof backupListSchema>;
export type BucketBody = z.infer<typeof bucket>;
