import { Fault } from "#base";
import type { Call, CallOptions, GrpcClient } from "../grpc/client.ts";
import type { Method } from "../protobuf/service.ts";

interface SessionParts {
  readonly id: string;
  /** Equal for sessions that send the same directories; "" when the client has none. */
  readonly sharedKey: string;
  /** The paths of the methods that the client serves, in lower case. */
  readonly methods: ReadonlySet<string>;
  readonly client: GrpcClient;
}

/** A connected client that serves files, secrets and credentials for its builds. */
export class ClientSession {
  readonly id: string;
  readonly sharedKey: string;
  readonly #methods: ReadonlySet<string>;
  readonly #client: GrpcClient;
  readonly #gone = new AbortController();

  constructor({ id, sharedKey, methods, client }: SessionParts) {
    this.id = id;
    this.sharedKey = sharedKey;
    this.#methods = methods;
    this.#client = client;
  }

  /** Aborted when the client is gone. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Marks the session as over; its calls have failed by then, or do now. */
  end(): void {
    this.#gone.abort(new Fault("canceled", "the client of the build is gone"));
  }

  /** Whether the client serves this method. */
  supports({ path }: Pick<Method<unknown, unknown, unknown, unknown>, "path">): boolean {
    return this.#methods.has(path.toLowerCase());
  }

  /** As `GrpcClient.ask`; `unsupported` when the client does not serve the method. */
  async ask<In, Out>(
    method: Method<unknown, In, Out, unknown>,
    request: In,
    options?: CallOptions,
  ): Promise<Out> {
    this.#require(method.path);
    return await this.#client.ask(method, request, options);
  }

  /** As `GrpcClient.call`; `unsupported` when the client does not serve the method. */
  call<In, Out>(method: Method<unknown, In, Out, unknown>, options?: CallOptions): Call<Out, In> {
    this.#require(method.path);
    return this.#client.call(method, options);
  }

  #require(path: string): void {
    this.#gone.signal.throwIfAborted();
    if (!this.#methods.has(path.toLowerCase()))
      throw new Fault("unsupported", `the client does not serve ${path}`, { about: path });
  }
}
