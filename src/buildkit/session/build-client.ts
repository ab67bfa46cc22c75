import { Fault } from "#base";
import type { ImageLayout } from "#engine";
import type { Digest } from "#image";
import type {
  AgentConnection,
  BuildClient,
  ClientCredentials,
  LeasedDirectory,
  WantedFiles,
} from "../build/solver.ts";
import type { ReceivedDirectories } from "../files/received-directories.ts";
import { sendDirectory } from "../files/send-directory.ts";
import type { Call } from "../grpc/client.ts";
import type { BytesMessage } from "../protobuf/control-messages.ts";
import type { Input, Value } from "../protobuf/message.ts";
import { Auth, FileSend, Secrets, Ssh, Upload } from "../protobuf/session-messages.ts";
import { ClientCache } from "./client-cache.ts";
import { ClientLayout } from "./client-layout.ts";
import type { ClientSession } from "./client-session.ts";

const maxSecretBytes = 500 << 10;
const pieceBytes = 1 << 20;

/** The services of a session, for one build. */
export class SessionClient implements BuildClient {
  readonly #session: ClientSession;
  readonly #directories: ReceivedDirectories;
  readonly #signal: AbortSignal;

  constructor(session: ClientSession, directories: ReceivedDirectories, signal: AbortSignal) {
    this.#session = session;
    this.#directories = directories;
    this.#signal = AbortSignal.any([signal, session.signal]);
  }

  async directory(
    name: string,
    wanted: WantedFiles = {},
    onBytes?: (bytes: number) => void,
  ): Promise<LeasedDirectory> {
    const request = { name, ...wanted, onBytes, signal: this.#signal };
    return await this.#directories.receive(this.#session, request);
  }

  async *upload(path: string): AsyncGenerator<Uint8Array, void> {
    const metadata = { urlpath: [path], urlhost: ["buildkit-session"] };
    await using call = this.#session.call(Upload.pull, { signal: this.#signal, metadata });
    for await (const { data } of call.messages()) yield data;
  }

  layout(store: string): ImageLayout {
    return new ClientLayout(this.#session, `oci:${store}`);
  }

  async secret(id: string): Promise<Uint8Array> {
    const { data } = await this.#session.ask(Secrets.getSecret, { id }, { signal: this.#signal });
    if (data.byteLength > maxSecretBytes)
      throw new Fault("exhausted", `the secret ${id} is larger than ${maxSecretBytes} bytes`);
    return data;
  }

  async agent(id: string): Promise<AgentConnection> {
    const signal = this.#signal;
    await this.#session.ask(Ssh.checkAgent, { id }, { signal });
    const call = this.#session.call(Ssh.forwardAgent, {
      signal,
      metadata: { "buildkit.ssh.id": [id] },
    });
    return {
      send: (data) => call.send({ data }),
      received: pieces(call),
      [Symbol.asyncDispose]: () => call[Symbol.asyncDispose](),
    };
  }

  async credentials(host: string): Promise<ClientCredentials | undefined> {
    if (!this.#session.supports(Auth.credentials)) return undefined;
    const signal = this.#signal;
    const { username, secret } = await this.#session.ask(Auth.credentials, { host }, { signal });
    return username === "" && secret === "" ? undefined : { username, secret };
  }

  cache(path: string, wanted?: Digest): ClientCache {
    return new ClientCache(this.#session, { path, wanted, signal: this.#signal });
  }

  async sendFile(output: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    await using call = this.#session.call(FileSend.file, this.#outputOptions(output));
    for await (const bytes of content) {
      for (let at = 0; at < bytes.byteLength; at += pieceBytes)
        await call.send({ data: bytes.subarray(at, at + pieceBytes) });
    }
    call.end();
    for await (const _ of call.messages());
  }

  async sendDirectory(output: number, path: string): Promise<void> {
    await using call = this.#session.call(FileSend.directory, this.#outputOptions(output));
    await sendDirectory(call, path);
  }

  #outputOptions(output: number) {
    const metadata = { "buildkit-attachable-exporter-id": [String(output)] };
    return { signal: this.#signal, metadata };
  }
}

async function* pieces(
  call: Call<Value<typeof BytesMessage>, Input<typeof BytesMessage>>,
): AsyncGenerator<Uint8Array, void> {
  for await (const { data } of call.messages()) yield data;
}
