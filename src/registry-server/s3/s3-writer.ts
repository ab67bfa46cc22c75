import { Fault } from "#base";
import type { Bucket } from "#s3";
import type { ObjectWriter } from "../object-store.ts";

/** S3 refuses smaller parts, but for the last one. */
export const minPartBytes = 5 << 20;
const firstPartBytes = 8 << 20;
const maxParts = 10_000;

interface Part {
  readonly number: number;
  readonly etag: string;
  readonly size: number;
}

/** The state of an unfinished object, with which another writer can go on. */
interface UploadState {
  readonly uploadId: string | undefined;
  readonly parts: readonly Part[];
}

/**
 * One object as a multipart upload. When the writer is closed, bytes that fill no part yet are kept
 * as an object of their own ("tail") beside the list of parts ("state"); both lie below `place`,
 * which is never listed. The state is written after each part: a crash costs the part under way.
 */
export class S3Writer implements ObjectWriter {
  readonly #bucket: Bucket;
  readonly #key: string;
  readonly #place: string;
  #uploadId: string | undefined;
  #parts: Part[];
  /** Not yet in a part. */
  #tail: Uint8Array[];
  #tailSize: number;
  #partsSize: number;
  /** The part that is on its way while the next one is filled. */
  #sending: Promise<void> | undefined;
  #failure: unknown;
  #kept: boolean;

  private constructor(options: {
    bucket: Bucket;
    key: string;
    place: string;
    state: UploadState | undefined;
    tail: Uint8Array | undefined;
  }) {
    this.#bucket = options.bucket;
    this.#key = options.key;
    this.#place = options.place;
    this.#uploadId = options.state?.uploadId;
    this.#parts = [...(options.state?.parts ?? [])];
    this.#partsSize = this.#parts.reduce((sum, { size }) => sum + size, 0);
    this.#tail = options.tail ? [options.tail] : [];
    this.#tailSize = options.tail?.length ?? 0;
    this.#kept = options.state !== undefined;
  }

  /** Goes on with the state below `place`, or begins. */
  static async open(bucket: Bucket, key: string, place: string): Promise<S3Writer> {
    const text = await small(bucket, `${place}/state`);
    const state = text && (JSON.parse(text.toString()) as UploadState);
    const tail = state ? await small(bucket, `${place}/tail`) : undefined;
    return new S3Writer({ bucket, key, place, state, tail });
  }

  get size(): number {
    return this.#partsSize + this.#tailSize;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#throwFailure();
    this.#tail.push(Buffer.from(bytes));
    this.#tailSize += bytes.length;
    if (this.#tailSize < this.#partBytes) return;
    await this.#sending;
    this.#throwFailure();
    this.#send(this.#takeTail());
  }

  async close(): Promise<void> {
    await this.#sending;
    this.#throwFailure();
    if (this.size === 0 && !this.#kept) return;
    // The tail first: a state without its tail would be a shorter object that looks whole.
    if (this.#tailSize > 0) await this.#bucket.put(`${this.#place}/tail`, this.#joined());
    else await this.#bucket.delete(`${this.#place}/tail`);
    await this.#keepState();
  }

  async commit(): Promise<void> {
    await this.#sending;
    this.#throwFailure();
    if (this.#uploadId === undefined) await this.#bucket.put(this.#key, this.#joined());
    else {
      if (this.#tailSize > 0) {
        this.#send(this.#takeTail());
        await this.#sending;
        this.#throwFailure();
      }
      const upload = { uploadId: this.#uploadId, parts: this.#parts };
      if (!(await this.#bucket.completeUpload(this.#key, upload))) {
        // A try whose answer was lost may have done it.
        const found = await this.#bucket.stat(this.#key);
        if (found?.size !== this.size) throw this.#lost();
      }
    }
    await this.#forget();
  }

  async cancel(): Promise<void> {
    await this.#sending;
    if (this.#uploadId !== undefined) await this.#bucket.abortUpload(this.#key, this.#uploadId);
    await this.#forget();
  }

  /** 10,000 parts of a growing size hold 440 GiB. */
  get #partBytes(): number {
    return firstPartBytes * (1 + Math.floor(this.#parts.length / 1000));
  }

  #joined(): Buffer {
    const all = Buffer.concat(this.#tail);
    this.#tail = [all];
    return all;
  }

  #takeTail(): Buffer {
    const all = this.#joined();
    this.#tail = [];
    this.#tailSize = 0;
    this.#partsSize += all.length;
    return all;
  }

  #send(bytes: Buffer): void {
    this.#sending = this.#sendPart(bytes).catch((error) => {
      this.#failure = error;
    });
  }

  async #sendPart(bytes: Buffer): Promise<void> {
    const number = this.#parts.length + 1;
    if (number > maxParts) {
      throw new Fault("exhausted", `${this.#key} has more parts than S3 puts together`);
    }
    this.#uploadId ??= await this.#bucket.createUpload(this.#key);
    const etag = await this.#bucket.uploadPart(this.#key, {
      uploadId: this.#uploadId,
      number,
      bytes,
    });
    if (etag === undefined) throw this.#lost();
    this.#parts.push({ number, etag, size: bytes.length });
    await this.#bucket.delete(`${this.#place}/tail`);
    await this.#keepState();
  }

  async #keepState(): Promise<void> {
    const state = { uploadId: this.#uploadId, parts: this.#parts };
    await this.#bucket.put(`${this.#place}/state`, Buffer.from(JSON.stringify(state)));
    this.#kept = true;
  }

  async #forget(): Promise<void> {
    if (!this.#kept) return;
    await this.#bucket.delete(`${this.#place}/state`);
    await this.#bucket.delete(`${this.#place}/tail`);
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure;
  }

  #lost(): Fault {
    return new Fault(
      "unavailable",
      `the bucket ${this.#bucket.name} no longer knows the upload of ${this.#key}: begin it again`,
      { about: this.#key },
    );
  }
}

/** Drops the leftovers of an unfinished writer below `place`, if there are any. */
export async function dropUnfinished(bucket: Bucket, key: string, place: string): Promise<void> {
  const text = await small(bucket, `${place}/state`);
  if (!text) return;
  const { uploadId } = JSON.parse(text.toString()) as UploadState;
  if (uploadId !== undefined) await bucket.abortUpload(key, uploadId);
  await bucket.delete(`${place}/state`);
  await bucket.delete(`${place}/tail`);
}

/** An object of ours that fits into memory. */
async function small(bucket: Bucket, key: string): Promise<Buffer | undefined> {
  const stat = await bucket.stat(key);
  if (!stat) return undefined;
  if (stat.size === 0) return Buffer.alloc(0);
  const bytes = await bucket.getRange(key, { start: 0, end: stat.size, etag: stat.etag });
  return bytes && Buffer.from(bytes);
}
