import { createHash, createHmac } from "node:crypto";

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

/** The body is not part of the signature: what is stored is checked by its digest, and hashing parts would hold everything else up. */
const unsignedPayload = "UNSIGNED-PAYLOAD";

/**
 * The headers that make a request to S3 one of these credentials: AWS Signature Version 4
 * (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). For what Bun's
 * own client of S3 has no call for, or does in a way that servers refuse.
 */
export function signRequest({
  method,
  url,
  headers = {},
  credentials,
  region,
  now,
}: Signing): Record<string, string> {
  const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const { sessionToken } = credentials;
  const signed: Record<string, string> = {
    host: url.host,
    ...headers,
    "x-amz-content-sha256": unsignedPayload,
    "x-amz-date": time,
    ...(sessionToken ? { "x-amz-security-token": sessionToken } : {}),
  };
  const names = Object.keys(signed).sort();
  const canonical = [
    method,
    url.pathname
      .split("/")
      .map((segment) => encode(decodeURIComponent(segment)))
      .join("/"),
    [...url.searchParams]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join("&"),
    ...names.map((name) => `${name}:${signed[name]?.trim()}`),
    "",
    names.join(";"),
    unsignedPayload,
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${createHash("sha256").update(canonical).digest("hex")}`;
  const key = [day, region, "s3", "aws4_request"].reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${credentials.secretAccessKey}`,
  );
  const { host: _host, ...sent } = signed;
  return {
    ...sent,
    Authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${hmac(key, text).toString("hex")}`,
  };
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** RFC 3986, all but unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
