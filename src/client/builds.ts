import { defined } from "#base";
import type {
  AuthConfig,
  BuildBody,
  BuildMessage,
  BuildPruneResponse,
  ContextAnswer,
  ExecCreateBody,
  WireFilters,
} from "#wire";
import { renderFilters } from "#wire";
import { type ContainerRun, openRun } from "./run.ts";
import type { Transport } from "./transport.ts";

const root = "/thimble/v1/build";
const newContext = { method: "POST", path: `${root}/contexts` } as const;

/** Builds: thimble's own API. `unsupported` when the engine is not thimble. */
export class BuildsClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Tells the entries of a context's directory, a `ContextEntry` as JSON a line; the engine keeps the
   * directory under `key` and asks for the files that it lacks.
   */
  async listContext(
    key: string,
    list: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<ContextAnswer> {
    const query = { key };
    return await this.#transport.json({ ...newContext, query, body: list, signal });
  }

  /** The files that were asked for, as a tar. */
  async sendFiles(id: string, tar: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    const path = `${root}/contexts/${encodeURIComponent(id)}`;
    await this.#transport.done({ method: "PUT", path, body: tar, signal });
  }

  /** A whole context as a tar, plain or compressed; gives its id. */
  async sendArchive(tar: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<string> {
    const call = { ...newContext, body: tar, signal };
    const { id } = await this.#transport.json<{ readonly id: string }>(call);
    return id;
  }

  /**
   * Runs a build, which ends when `signal` aborts. `credentials`: by the registry's host. A failure
   * of a step is the last message, with `kind` "error".
   */
  async *run(
    body: BuildBody,
    options: {
      readonly credentials?: Readonly<Record<string, AuthConfig>>;
      readonly signal?: AbortSignal;
    } = {},
  ): AsyncGenerator<BuildMessage> {
    const { credentials, signal } = options;
    const encoded = Buffer.from(JSON.stringify(credentials ?? {})).toString("base64url");
    const headers = { "X-Registry-Config": encoded };
    const call = {
      method: "POST",
      path: root,
      json: body,
      headers,
      ...defined({ signal }),
    } as const;
    for await (const { value } of this.#transport.messages<BuildMessage>(call)) yield value;
  }

  /** Runs a program in the place of a step that a build offers. */
  enter(
    id: string,
    body: Pick<ExecCreateBody, "Cmd" | "Tty" | "ConsoleSize" | "AttachStdin">,
  ): Promise<Pick<ContainerRun, "stream" | "exitCode">> {
    const path = `${root}/entries/${encodeURIComponent(id)}`;
    return openRun(this.#transport, { method: "POST", path, json: body });
  }

  /** Sets the size of the terminal of that program. */
  async resizeEntry(
    id: string,
    size: { readonly rows: number; readonly columns: number },
  ): Promise<void> {
    const path = `${root}/entries/${encodeURIComponent(id)}/resize`;
    const query = { h: size.rows, w: size.columns };
    await this.#transport.done({ method: "POST", path, query });
  }

  /** The tar of an output that is for the client. */
  async *exported(id: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const path = `${root}/exports/${encodeURIComponent(id)}`;
    const response = await this.#transport.call({ method: "GET", path, signal });
    yield* response.body;
  }

  /** POST /build/prune; sizes are bytes. Nothing that a build uses is removed. */
  prune(options: {
    readonly all?: boolean;
    readonly filters?: WireFilters;
    readonly reservedSpace?: number;
    readonly maxUsedSpace?: number;
    readonly minFreeSpace?: number;
  }): Promise<BuildPruneResponse> {
    const query = {
      all: options.all,
      filters: renderFilters(options.filters ?? {}),
      "reserved-space": options.reservedSpace,
      "max-used-space": options.maxUsedSpace,
      "min-free-space": options.minFreeSpace,
    };
    return this.#transport.json({ method: "POST", path: "/build/prune", query });
  }
}
