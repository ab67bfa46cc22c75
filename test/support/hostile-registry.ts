/**
 * A registry in which each repository has one thing wrong and nothing else. Where the
 * flaw is in an image, the image is as its documents say but for that; where it is in
 * the answers, a hook gives them.
 */
import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { mediaTypes } from "#image";
import { type MadeImage, makeImage } from "./content-images.ts";
import { type FakeAnswer, FakeRegistry, type FakeRequest } from "./registry-fake.ts";
import { type TarMember, tarOf } from "./tree.ts";

export type Answering = (request: FakeRequest) => FakeAnswer | "taken" | undefined;

export class HostileRegistry implements AsyncDisposable {
  readonly fake: FakeRegistry;
  readonly #answers: Map<string, Answering>;

  private constructor(fake: FakeRegistry, answers: Map<string, Answering>) {
    this.fake = fake;
    this.#answers = answers;
  }

  static async start(): Promise<HostileRegistry> {
    const answers = new Map<string, Answering>();
    const fake = await FakeRegistry.start({
      hook: (request) => {
        const [, first = "", second = ""] = request.path.split("/");
        return answers.get(first === "v2" ? second : first)?.(request);
      },
    });
    return new HostileRegistry(fake, answers);
  }

  get host(): string {
    return this.fake.host;
  }

  /** An image as the repository's "latest", and how the repository answers in place of the usual. */
  image(repository: string, image: MadeImage, answering?: Answering): void {
    for (const bytes of image.blobs.values()) this.fake.addBlob(repository, bytes);
    this.document(repository, image.manifestBytes, image.manifest.mediaType ?? "");
    if (answering) this.answer(repository, answering);
  }

  /** A manifest of any bytes as the repository's "latest"; its digest. */
  document(repository: string, content: string | Uint8Array | object, mediaType: string): string {
    const isBytes = typeof content === "string" || content instanceof Uint8Array;
    const bytes = Buffer.from(isBytes ? (content as string) : JSON.stringify(content));
    const digest = digestOf(bytes);
    for (const key of [`${repository}@${digest}`, `${repository}:latest`]) {
      this.fake.manifests.set(key, { bytes, mediaType });
    }
    return digest;
  }

  /** Also for paths outside of "/v2/", by their first part. */
  answer(repository: string, answering: Answering): void {
    this.#answers.set(repository, answering);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fake[Symbol.asyncDispose]();
  }
}

export const isManifest = ({ path }: FakeRequest): boolean => path.includes("/manifests/");
export const isBlob = ({ path }: FakeRequest): boolean => path.includes("/blobs/");

/** An image of one layer with one file, another for each name. */
export function plainImage(name: string, more: object = {}): MadeImage {
  return layerImage([{ name, content: `of ${name}` }], more);
}

export function layerImage(members: readonly TarMember[], config: object = {}): MadeImage {
  return makeImage({ layers: [tarOf(members)], config });
}

/** An image whose layer's blob is given by its bytes, of which the configuration tells nothing true. */
export function blobImage(blob: Buffer, mediaType: string, declared: object = {}): MadeImage {
  const image = plainImage("unused");
  const layer = { mediaType, digest: digestOf(blob), size: blob.length, ...declared };
  const manifestBytes = Buffer.from(JSON.stringify({ ...image.manifest, layers: [layer] }));
  const blobs = new Map(image.blobs).set(digestOf(blob) as MadeImage["digest"], blob);
  return { ...image, manifestBytes, blobs };
}

/** A layer that would become 19 GB of the same byte. */
export function bombImage(compression: "gzip" | "zstd"): MadeImage {
  const compress = compression === "gzip" ? gzipSync : zstdCompressSync;
  const head = tarOf([{ name: "ones" }]).subarray(0, 512);
  const size = (300 * 2 ** 26).toString(8);
  head.write(`${size.padStart(11, "0")}\0`, 124);
  head.fill(" ", 148, 156);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, "0")}\0`, 148);
  const part = compress(Buffer.alloc(2 ** 26, 1));
  const blob = Buffer.concat([compress(head), ...Array.from({ length: 300 }, () => part)]);
  return blobImage(blob, compression === "gzip" ? mediaTypes.layerGzip : mediaTypes.layerZstd);
}

/** Goes on sending for as long as the other side takes it, but at most 64 MiB. */
export function sendWithoutEnd(socket: Socket, head: string, part: string): "taken" {
  socket.write(head);
  const bytes = Buffer.from(part.repeat(Math.ceil((64 << 10) / part.length)));
  let left = 1024;
  const go = () => {
    while (left-- > 0 && !socket.destroyed) {
      if (!socket.write(bytes)) return void socket.once("drain", go);
    }
  };
  go();
  return "taken";
}

export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
