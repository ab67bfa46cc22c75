import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { Fault } from "#base";
import type { Method } from "../protobuf/service.ts";
import { FrameReader, frame } from "./frame.ts";
import { faultOfStatus } from "./status.ts";

/** What belongs to one call beside its messages. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Headers; the values of one name are sent in this order. */
  readonly metadata?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** A call of which both sides send any number of messages. */
export interface Call<Out, In> extends AsyncDisposable {
  /** Resolves when the other side takes more. Throws when the call is over. */
  send(message: In): Promise<void>;
  /** Tells the other side that no more messages come. */
  end(): void;
  /** The messages of the other side; throws what it says that went wrong. Read once. */
  messages(): AsyncGenerator<Out, void>;
}

/** Calls of the methods of gRPC services over one connection of HTTP/2. */
export class GrpcClient {
  readonly #session: ClientHttp2Session;

  constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  /** One message there, one back. Throws the fault that the other side answers with. */
  async ask<In, Out>(
    method: Method<unknown, In, Out, unknown>,
    request: In,
    options: CallOptions = {},
  ): Promise<Out> {
    await using call = this.call(method, options);
    await call.send(request);
    call.end();
    let answer: Out | undefined;
    for await (const message of call.messages()) answer ??= message;
    if (answer === undefined)
      throw new Fault("unavailable", `the client ended ${method.path} without an answer`);
    return answer;
  }

  call<In, Out>(
    method: Method<unknown, In, Out, unknown>,
    { signal, metadata = {} }: CallOptions = {},
  ): Call<Out, In> {
    const { path } = method;
    signal?.throwIfAborted();
    if (this.#session.closed || this.#session.destroyed)
      throw new Fault("canceled", `the client left before ${path}`, { about: path });
    const stream = this.#session.request({
      ...Object.fromEntries(Object.entries(metadata).map(([name, values]) => [name, [...values]])),
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    return new OpenCall(stream, method, signal);
  }
}

class OpenCall<Out, In> implements Call<Out, In> {
  readonly #stream: ClientHttp2Stream;
  readonly #method: Method<unknown, In, Out, unknown>;
  readonly #status: Promise<Fault | undefined>;
  #failure: Error | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #cancel = () => this.#stream.close(constants.NGHTTP2_CANCEL);

  constructor(
    stream: ClientHttp2Stream,
    method: Method<unknown, In, Out, unknown>,
    signal: AbortSignal | undefined,
  ) {
    this.#stream = stream;
    this.#method = method;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#cancel, { once: true });
    stream.on("error", (error) => {
      this.#failure ??= error;
    });
    this.#status = statusFrom(stream, method.path);
  }

  async send(message: In): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed || stream.writableEnded) throw await this.#over();
    if (stream.write(frame(this.#method.request.encode(message)))) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    stream.once("drain", resolve).once("close", resolve);
    await promise;
    stream.off("drain", resolve).off("close", resolve);
    if (stream.destroyed) throw await this.#over();
  }

  end(): void {
    if (!this.#stream.destroyed) this.#stream.end();
  }

  async *messages(): AsyncGenerator<Out, void> {
    const reader = new FrameReader();
    try {
      for await (const bytes of this.#stream)
        for (const message of reader.push(bytes)) yield this.#method.response.decode(message);
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw await this.#over();
    }
    const fault = await this.#status;
    this.#signal?.throwIfAborted();
    if (fault) throw fault;
    if (reader.isCut)
      throw new Fault("data_loss", `the client ended ${this.#method.path} within a message`);
  }

  async #over(): Promise<Error> {
    const fault = await this.#status;
    this.#signal?.throwIfAborted();
    const { path } = this.#method;
    return fault ?? new Fault("canceled", `${path} is over`, { about: path, cause: this.#failure });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#cancel);
    if (!this.#stream.destroyed) this.#stream.close(constants.NGHTTP2_CANCEL);
    await this.#status;
  }
}

/** What the trailers say, or the headers of an answer without a body; undefined when all went well. */
function statusFrom(stream: ClientHttp2Stream, path: string): Promise<Fault | undefined> {
  const { promise, resolve } = Promise.withResolvers<Fault | undefined>();
  const look = (fields: Record<string, unknown>) => {
    const code = fields["grpc-status"];
    if (code === undefined) return;
    const message = decodeMessage(String(fields["grpc-message"] ?? ""));
    const status = { code: Number(code), message };
    resolve(status.code === 0 ? undefined : faultOfStatus(status, path));
  };
  stream.on("response", look).on("trailers", look);
  stream.once("close", () => {
    resolve(new Fault("canceled", `the client ended ${path} without saying why`, { about: path }));
  });
  return promise;
}

function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
