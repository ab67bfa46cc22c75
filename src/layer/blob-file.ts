import { closeSync, constants, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { Fault } from "#base";
import { type Digest, type DigestAlgorithm, Digester, requireDigest } from "#image";
import { isHole } from "./hole.ts";

export interface BlobIdentity {
  readonly digest: Digest;
  readonly size: number;
}

const zeros = Buffer.alloc(256 << 10);

/**
 * A new file that takes bytes in order and knows their digest; without `finish` it is
 * removed again. Long runs of zeros take no room on the disk.
 */
export class BlobFile implements Disposable {
  readonly path: string;
  readonly #fd: number;
  readonly #hash: Digester;
  #size = 0;
  #finished = false;
  #hasHole = false;

  constructor(path: string, algorithm?: DigestAlgorithm) {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    this.path = path;
    this.#hash = new Digester(algorithm);
    this.#fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  }

  get size(): number {
    return this.#size;
  }

  write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    if (isHole(bytes)) {
      this.#size += bytes.byteLength;
      this.#hasHole = true;
      return;
    }
    for (let done = 0; done < bytes.byteLength; ) {
      const place = this.#hasHole ? this.#size + done : null;
      done += writeSync(this.#fd, bytes, done, bytes.byteLength - done, place);
    }
    this.#size += bytes.byteLength;
  }

  /** Goes on at a later place; the bytes between are zeros. */
  skipTo(size: number): void {
    while (this.#size < size) {
      const some = zeros.subarray(0, Math.min(zeros.length, size - this.#size));
      this.#hash.update(some);
      this.#size += some.length;
      this.#hasHole = true;
    }
  }

  /** The file stays. With `expected`, only if it is that: else `data_loss`. */
  finish(expected?: BlobIdentity): BlobIdentity {
    const found = { digest: this.#hash.digest(), size: this.#size };
    if (expected && expected.size !== found.size) {
      throw new Fault(
        "data_loss",
        `the blob has ${found.size} bytes where ${expected.size} were promised; fetch it again`,
        { about: expected.digest },
      );
    }
    if (expected) requireDigest("the blob", expected.digest, found.digest);
    if (this.#hasHole) ftruncateSync(this.#fd, this.#size);
    this.#finished = true;
    return found;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
    if (!this.#finished) rmSync(this.path, { force: true });
  }
}
