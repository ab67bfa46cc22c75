/**
 * registry-server/s3: a registry's objects in a bucket of S3, or of what speaks like it.
 * Bun's client lists and deletes; requests that we sign ourselves do the rest: multipart
 * uploads that another process goes on with, copies, and what Bun's client does badly.
 */

import type { ObjectStore } from "../object-store.ts";
import { S3Store, type S3StoreOptions } from "./s3-store.ts";

export type { S3StoreOptions };

/** A bucket as store; `unavailable` when it does not answer or lets us not in. */
export async function openS3Store(options: S3StoreOptions): Promise<ObjectStore> {
  return await S3Store.open(options);
}
