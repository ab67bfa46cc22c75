/**
 * s3: a bucket of S3, or of what speaks like it, as its calls are (decisions 9 and 14).
 *
 * Bun's client lists and deletes; requests that we sign ourselves do the rest: multipart
 * uploads that another process goes on with, copies, and what Bun's client does badly.
 * What the objects mean is for others to say.
 */

export { Bucket, type BucketOptions } from "./bucket.ts";
export type { S3Credentials } from "./sign-request.ts";
