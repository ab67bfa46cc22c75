import { type Credentials, Fault } from "#base";
import type { RegistryClient } from "#registry-client";
import type { BackupStore } from "./backup-store.ts";
import { type Destination, destinationText } from "./destination.ts";

/** The settings of a bucket beside its name: as the environment of AWS' own tools has them. */
export interface BucketAccess {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly region?: string | undefined;
  /** "https://s3.example.org"; absent: Amazon's. */
  readonly endpoint?: string | undefined;
}

/** What opens the places of backups. */
export interface StoreAccess {
  readonly registry: (credentials: () => Credentials | undefined) => Promise<RegistryClient>;
  readonly credentials?: Credentials | undefined;
  readonly bucket?: BucketAccess | undefined;
}

/** Opens a place for one operation. `not_found` for a directory without backups that is to be read. */
export async function openBackupStore(
  destination: Destination,
  options: StoreAccess & { readonly writes: boolean; readonly signal: AbortSignal },
): Promise<BackupStore> {
  const { writes, signal, credentials, bucket } = options;
  if (destination.kind === "directory") {
    const { DirectoryStore } = await import("./directory-store.ts");
    return await DirectoryStore.open(destination.path, { writes, signal });
  }
  if (destination.kind === "registry") {
    const { RegistryStore } = await import("./registry-store.ts");
    const client = await options.registry(() => credentials);
    return new RegistryStore(client.repository(destination.repository), signal);
  }
  if (!bucket)
    throw new Fault(
      "invalid",
      `the keys of ${destinationText(destination)} are missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
    );
  const { Bucket } = await import("#s3");
  const { S3BackupStore } = await import("./s3-store.ts");
  const { region, endpoint, ...keys } = bucket;
  const opened = new Bucket({ bucket: destination.bucket, region, endpoint, credentials: keys });
  return new S3BackupStore(opened, { prefix: destination.prefix, signal });
}
