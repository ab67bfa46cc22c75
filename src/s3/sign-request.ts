import { AwsV4Signer } from "aws4fetch";

/** The keys of a bucket; a session token comes with temporary ones. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

interface Signing {
  readonly method: string;
  readonly url: URL;
  /** Further headers that must be signed: "content-type" and those that begin with "x-amz-", in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly credentials: S3Credentials;
  readonly region: string;
  readonly now: Date;
}

/**
 * The headers that make a request to S3 one of these credentials: AWS Signature Version 4
 * (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). The body is not
 * part of the signature: what is stored is checked by its digest, and hashing parts would
 * hold everything else up. A plus in a path would be signed as a blank; keys have none
 * (store-key.ts).
 */
export async function signRequest(options: Signing): Promise<Record<string, string>> {
  const { method, url, headers, credentials, region, now } = options;
  const signer = new AwsV4Signer({
    method,
    url: url.href,
    service: "s3",
    region,
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    datetime: now.toISOString().replaceAll(/[-:]|\.\d+/g, ""),
    // Ceph refuses a request with a header, as the type of content, that is not signed.
    allHeaders: true,
    ...(headers && { headers }),
    ...(credentials.sessionToken && { sessionToken: credentials.sessionToken }),
  });
  return Object.fromEntries((await signer.sign()).headers);
}
