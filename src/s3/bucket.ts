import { S3Client } from "bun";
import { Fault, retry } from "#base";
import { type S3Credentials, signRequest } from "./sign-request.ts";

/** Where a bucket is, and its keys. */
export interface BucketOptions {
  readonly bucket: string;
  /** "https://s3.example.org"; absent: Amazon's of the region. */
  readonly endpoint?: string | undefined;
  /** Default "us-east-1". */
  readonly region?: string | undefined;
  readonly credentials: S3Credentials;
}

interface PartTag {
  readonly number: number;
  readonly etag: string;
}

const backoff = { attempts: 4, base: 200, max: 1000 };
const timeoutMs = 120_000;

/** A bucket: Bun's client lists and deletes, the other calls are our own. Keys are whole, with any prefix. */
export class Bucket {
  readonly name: string;
  readonly #client: S3Client;
  readonly #options: BucketOptions;
  readonly #endpoint: string;
  readonly #region: string;

  constructor(options: BucketOptions) {
    this.name = options.bucket;
    this.#options = options;
    this.#region = options.region ?? "us-east-1";
    this.#endpoint = (options.endpoint ?? `https://s3.${this.#region}.amazonaws.com`).replace(
      /\/+$/,
      "",
    );
    const { accessKeyId, secretAccessKey, sessionToken } = options.credentials;
    this.#client = new S3Client({
      bucket: options.bucket,
      endpoint: this.#endpoint,
      region: this.#region,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken ? { sessionToken } : {}),
    });
  }

  /**
   * Not Bun's `stat`: a refusal is an "unexpected error" there, since HEAD has no body to say more.
   */
  async stat(key: string): Promise<{ size: number; modified: number; etag: string } | undefined> {
    return await this.#attempt("look at", key, async () => {
      const { headers } = await this.#request("HEAD", key, {});
      const size = Number(headers.get("content-length") ?? Number.NaN);
      const modified = Date.parse(headers.get("last-modified") ?? "");
      const etag = headers.get("etag");
      if (!Number.isSafeInteger(size) || Number.isNaN(modified) || !etag) {
        throw new Fault("unavailable", "the answer tells no size, time or ETag");
      }
      return { size, modified, etag };
    });
  }

  /** Not Bun's `write`: it sends a type of content that it does not sign, which Ceph refuses. */
  async put(key: string, bytes: Uint8Array): Promise<void> {
    const done = await this.#attempt("write", key, async () => {
      const response = await this.#request("PUT", key, {
        signed: { "content-type": "application/octet-stream" },
        body: bytes,
      });
      await response.arrayBuffer();
      return true;
    });
    if (!done) throw this.#unavailable("write", key, "the server has no place for it");
  }

  /** Nothing there is no fault. */
  async delete(key: string): Promise<void> {
    await this.#attempt("delete", key, () => this.#client.delete(key));
  }

  /** A page of the objects whose keys begin with the prefix, by their keys: at most 1,000. */
  async list(options: {
    readonly prefix: string;
    readonly delimiter?: string;
    readonly startAfter?: string;
    readonly continuationToken?: string;
    readonly maxKeys?: number;
  }) {
    const page = await this.#attempt("list", options.prefix, () => this.#client.list(options));
    if (!page) throw this.#unavailable("list", options.prefix, "there is no such bucket");
    return page;
  }

  /** The bytes `start` up to but without `end`, which exist, of the object that has this tag; undefined when it is gone or another one. */
  async getRange(key: string, range: { start: number; end: number; etag: string }) {
    return await this.#attempt("read", key, async () => {
      const response = await this.#request("GET", key, {
        unsigned: { Range: `bytes=${range.start}-${range.end - 1}`, "If-Match": range.etag },
      });
      const bytes = new Uint8Array(await response.arrayBuffer());
      const same = response.headers.get("etag") === range.etag;
      if (same && bytes.length !== range.end - range.start) {
        throw new Fault("unavailable", "the answer is of another length than was asked for");
      }
      return same ? bytes : undefined;
    });
  }

  /** Undefined when there is no object `from`. */
  async copy(from: string, to: string): Promise<true | undefined> {
    return await this.#attempt("copy", from, async () => {
      const source = `/${this.name}/${from}`;
      const response = await this.#request("PUT", to, { signed: { "x-amz-copy-source": source } });
      await this.#xml(response, "CopyObjectResult");
      return true as const;
    });
  }

  /** Begins a multipart upload; its id. */
  async createUpload(key: string): Promise<string> {
    const found = await this.#attempt("write", key, async () => {
      const response = await this.#request("POST", key, { query: { uploads: "" } });
      const xml = await this.#xml(response, "InitiateMultipartUploadResult");
      return /<UploadId>([^<]+)<\/UploadId>/.exec(xml)?.[1];
    });
    if (!found) throw this.#unavailable("write", key, "no multipart upload was begun");
    return unescapeXml(found);
  }

  /** The tag of the part; undefined when the upload is unknown. */
  async uploadPart(
    key: string,
    part: { uploadId: string; number: number; bytes: Uint8Array },
  ): Promise<string | undefined> {
    return await this.#attempt("write", key, async () => {
      const response = await this.#request("PUT", key, {
        query: { partNumber: String(part.number), uploadId: part.uploadId },
        body: part.bytes,
      });
      await response.arrayBuffer();
      return response.headers.get("etag") ?? "";
    });
  }

  /** Undefined when the upload is unknown, which it also is once it is completed. */
  async completeUpload(
    key: string,
    upload: { uploadId: string; parts: readonly PartTag[] },
  ): Promise<true | undefined> {
    const parts = upload.parts
      .map(
        ({ number, etag }) =>
          `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`,
      )
      .join("");
    return await this.#attempt("write", key, async () => {
      const response = await this.#request("POST", key, {
        query: { uploadId: upload.uploadId },
        body: Buffer.from(`<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`),
        signed: { "content-type": "application/xml" },
      });
      await this.#xml(response, "CompleteMultipartUploadResult");
      return true as const;
    });
  }

  /** As well as it can be done; leftovers cost room until the bucket's own rules remove them. */
  async abortUpload(key: string, uploadId: string): Promise<void> {
    await this.#request("DELETE", key, { query: { uploadId } }).catch(() => undefined);
  }

  async #request(
    method: string,
    key: string,
    options: {
      readonly query?: Readonly<Record<string, string>>;
      readonly signed?: Readonly<Record<string, string>>;
      readonly unsigned?: Readonly<Record<string, string>>;
      readonly body?: Uint8Array;
    },
  ): Promise<Response> {
    const url = new URL(`${this.#endpoint}/${this.name}/${key}`);
    for (const [name, value] of Object.entries(options.query ?? {}))
      url.searchParams.set(name, value);
    const { credentials } = this.#options;
    const headers = await signRequest({
      method,
      url,
      credentials,
      region: this.#region,
      now: new Date(),
      ...(options.signed ? { headers: options.signed } : {}),
    });
    const response = await fetch(url.href, {
      method,
      headers: { ...headers, ...options.unsigned },
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
      ...(options.body ? { body: options.body as Uint8Array<ArrayBuffer> } : {}),
    });
    if (response.ok) return response;
    throw answerFault(response.status, await response.text());
  }

  /** S3 answers 200 before it has copied or put together, and tells in the body how that went: `root` when well. */
  async #xml(response: Response, root: string): Promise<string> {
    const text = await response.text();
    if (/<Error>/.test(text)) throw answerFault(500, text);
    if (!text.includes(`<${root}`)) {
      throw new Fault("unavailable", "the answer ended without a result");
    }
    return text;
  }

  /**
   * Tries again after a failure without a word or by the server's fault. Undefined for a missing
   * object.
   */
  async #attempt<T>(verb: string, key: string, work: () => Promise<T>): Promise<T | undefined> {
    const isPassing = (error: unknown) => {
      const { code } = describe(error);
      return !absent.has(code) && !refused.has(code);
    };
    try {
      return await retry(work, { backoff, isPassing });
    } catch (error) {
      const { code, message } = describe(error);
      if (absent.has(code)) return undefined;
      const advice = refused.get(code);
      throw this.#unavailable(verb, key, advice ? `${message}; ${advice}` : message, error);
    }
  }

  #unavailable(verb: string, key: string, why: string, cause?: unknown): Fault {
    return new Fault(
      "unavailable",
      `cannot ${verb} ${key} in the bucket ${this.name} at ${this.#endpoint}: ${why}`,
      { about: this.name, cause },
    );
  }
}

const absent = new Set(["NoSuchKey", "NotFound", "NoSuchUpload", "PreconditionFailed"]);
const checkKeys = "check the keys and their permissions";
/** The refusals that no second try mends, with their remedies. */
const refused: ReadonlyMap<string, string> = new Map([
  ["AccessDenied", checkKeys],
  ["Forbidden", checkKeys],
  ["InvalidAccessKeyId", checkKeys],
  ["SignatureDoesNotMatch", checkKeys],
  ["ERR_S3_MISSING_CREDENTIALS", checkKeys],
  ["RequestTimeTooSkewed", "set the clock of this machine"],
  ["NoSuchBucket", "check its name, or make it: thimble makes no buckets"],
  ["ERR_S3_INVALID_ENDPOINT", "check the address of the server"],
]);

class AnswerError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

function answerFault(status: number, body: string): AnswerError {
  const code = /<Code>([^<]{1,100})<\/Code>/.exec(body)?.[1];
  const message = /<Message>([^<]{0,500})<\/Message>/.exec(body)?.[1];
  const usual = status === 404 ? "NotFound" : status === 403 ? "Forbidden" : `status ${status}`;
  const told = status === 412 ? "PreconditionFailed" : (code ?? usual);
  return new AnswerError(told, message ? `${told}: ${unescapeXml(message)}` : told);
}

/** Bun's client gives the whole answer as message, or a sentence that says nothing. */
function describe(error: unknown): { code: string; message: string } {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const told = typeof code === "string" ? code : "";
  const text = typeof message === "string" ? message : String(error);
  if (text.includes("<Error>")) return answerFault(500, text);
  if (/^an unexpected error/i.test(text)) return { code: told, message: `no answer (${told})` };
  return { code: told, message: text };
}

function unescapeXml(text: string): string {
  const entities: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replaceAll(/&(lt|gt|quot|apos|amp);/g, (_all, name: string) => entities[name] ?? "");
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
