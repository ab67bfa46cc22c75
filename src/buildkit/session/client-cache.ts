import { randomUUID } from "node:crypto";
import { Fault, isFault } from "#base";
import type { CacheReader, CacheWriter } from "#engine";
import type { Descriptor, Digest } from "#image";
import { ContentStore } from "../protobuf/session-messages.ts";
import { ClientLayout } from "./client-layout.ts";
import type { ClientSession } from "./client-session.ts";

const write = 1;
const commit = 2;
const pieceBytes = 1 << 20;

type Blob = Pick<Descriptor, "digest" | "size">;

/**
 * A directory of a client's that holds a cache, through the content service of its session. The
 * client knows it by its path, and keeps its index itself.
 */
export class ClientCache implements CacheReader, CacheWriter {
  readonly name: string;
  readonly kind = "client directory";
  readonly #session: ClientSession;
  readonly #layout: ClientLayout;
  readonly #wanted: Digest | undefined;
  readonly #options: { readonly metadata: Readonly<Record<string, readonly string[]>> };
  readonly #signal: AbortSignal;

  /** @param wanted the manifest that is read */
  constructor(
    session: ClientSession,
    { path, wanted, signal }: { path: string; wanted?: Digest | undefined; signal: AbortSignal },
  ) {
    this.name = path;
    this.#session = session;
    this.#layout = new ClientLayout(session, `local:${path}`);
    this.#wanted = wanted;
    this.#options = { metadata: { "buildkit-attachable-store-id": [`local:${path}`] } };
    this.#signal = signal;
  }

  async manifest(given: Digest | undefined, signal: AbortSignal): Promise<Uint8Array> {
    const digest = given ?? this.#wanted;
    if (digest === undefined) throw new Fault("invalid", "the client names no digest of its cache");
    return (await this.#layout.manifest(digest, { signal: this.#until(signal) })).bytes;
  }

  blob(
    descriptor: Descriptor,
    { signal }: { readonly signal?: AbortSignal },
  ): AsyncIterable<Uint8Array> {
    return this.#layout.blob(descriptor, { signal: this.#until(signal) });
  }

  async putBlob(
    { digest, size }: Blob,
    content: (offset: number) => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    if (await this.#has(digest, signal)) return;
    const options = { ...this.#options, signal: this.#until(signal) };
    await using call = this.#session.call(ContentStore.write, options);
    const told = (async () => {
      for await (const _ of call.messages());
    })();
    told.catch(() => undefined);
    // Of its own: an upload that was broken off is not gone on with.
    const whole = { ref: randomUUID(), total: BigInt(size), expected: digest };
    let offset = 0;
    for await (const bytes of content(0)) {
      for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
        const data = bytes.subarray(at, at + pieceBytes);
        await call.send({ ...whole, action: write, offset: BigInt(offset), data });
        offset += data.byteLength;
      }
    }
    await call.send({ ...whole, action: commit, offset: BigInt(offset) });
    call.end();
    await told;
  }

  async putManifest(
    bytes: Uint8Array,
    { digest, size }: Descriptor,
    signal: AbortSignal,
  ): Promise<void> {
    await this.putBlob({ digest, size }, () => single(bytes), signal);
  }

  async #has(digest: Digest, signal: AbortSignal): Promise<boolean> {
    const options = { ...this.#options, signal: this.#until(signal) };
    try {
      await this.#session.ask(ContentStore.info, { digest }, options);
      return true;
    } catch (error) {
      if (isFault(error, "not_found")) return false;
      throw error;
    }
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([this.#signal, signal]) : this.#signal;
  }
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}
