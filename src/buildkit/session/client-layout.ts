import { collect, Fault } from "#base";
import type { ImageLayout } from "#engine";
import {
  type Descriptor,
  isDigest,
  type ManifestDocument,
  manifestDocument,
  maxDocumentBytes,
} from "#image";
import { ContentStore } from "../protobuf/session-messages.ts";
import type { ClientSession } from "./client-session.ts";

/** An OCI layout that a client serves in its session, as containerd's service of blobs. */
export class ClientLayout implements ImageLayout {
  readonly #session: ClientSession;
  /** Which of the client's layouts is meant. */
  readonly #metadata: Readonly<Record<string, readonly string[]>>;

  constructor(session: ClientSession, store: `${"oci" | "local"}:${string}`) {
    this.#session = session;
    // Clients keep layouts and caches apart by what their ids begin with.
    this.#metadata = { "buildkit-attachable-store-id": [store] };
  }

  /** By digest alone: the client has looked tags up. */
  async manifest(
    digest: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<ManifestDocument> {
    if (!isDigest(digest)) {
      throw new Fault("invalid", `oci-layout reference "${digest}" has no digest`, {
        about: digest,
      });
    }
    const options = { signal, metadata: this.#metadata };
    const { info } = await this.#session.ask(ContentStore.info, { digest }, options);
    const size = Number(info?.size ?? 0);
    if (size > maxDocumentBytes)
      throw new Fault(
        "exhausted",
        `the manifest ${digest} has more than ${maxDocumentBytes} bytes`,
        { about: digest },
      );
    const about = `the manifest ${digest}`;
    return manifestDocument(digest, await collect(this.#read(digest, signal), size, about));
  }

  blob(
    { digest }: Descriptor,
    { signal }: { readonly signal?: AbortSignal },
  ): AsyncIterable<Uint8Array> {
    return this.#read(digest, signal);
  }

  async *#read(digest: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const options = { signal, metadata: this.#metadata };
    await using call = this.#session.call(ContentStore.read, options);
    await call.send({ digest });
    call.end();
    for await (const { data } of call.messages()) yield data;
  }
}
