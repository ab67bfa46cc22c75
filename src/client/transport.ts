import { collect, defined, Fault, type FaultCode, lines } from "#base";
import { API_VERSION, compareApiVersions } from "#wire";
import { AttachedStream } from "./attached-stream.ts";
import type { Dial } from "./dial.ts";
import { formatHost, type Host } from "./host.ts";
import { exchange, type HttpRequest, type HttpResponse } from "./http.ts";

/** An error that the engine answered; failures to reach it are other Faults. */
export class ResponseFault extends Fault {
  readonly status: number;

  constructor(status: number, message: string) {
    super(codes[status] ?? (status >= 500 ? "internal" : "invalid"), message);
    this.status = status;
  }
}

const codes: Readonly<Record<number, FaultCode>> = {
  400: "invalid",
  401: "unauthenticated",
  403: "denied",
  404: "not_found",
  408: "timeout",
  409: "conflict",
  429: "exhausted",
  500: "internal",
  501: "unsupported",
  503: "unavailable",
};

type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface Call {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** Without the version: "/containers/json". Paths below /thimble/ have no version. */
  readonly path: string;
  /** Absent and false values are left out; true is "1". */
  readonly query?: Readonly<Record<string, QueryValue>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
}

const maxJson = 64 << 20;
const maxError = 64 << 10;
const encoder = new TextEncoder();

/** Calls to one engine: paths and versions, JSON and its streams, failures as Faults. */
export class Transport {
  readonly host: Host;
  readonly #dial: Dial;
  readonly #headers: Readonly<Record<string, string>>;
  #version = API_VERSION;
  #negotiated = false;

  constructor(host: Host, dial: Dial, headers: Readonly<Record<string, string>> = {}) {
    this.host = host;
    this.#dial = dial;
    this.#headers = headers;
  }

  /** The version that requests carry: settled once an answer has come. */
  get version(): string {
    return this.#version;
  }

  /** The answer to a call, of status 2xx or 304; anything else throws a ResponseFault. */
  async call(call: Call, upgrade = false): Promise<HttpResponse> {
    if (call.body && !this.#negotiated) await this.ping(call.signal);
    try {
      return await this.#once(call, upgrade);
    } catch (error) {
      // Instead of asking for the version before every command, the newest is tried: a
      // server that refuses it has done nothing else, and names its own.
      const newest =
        error instanceof ResponseFault &&
        /client version \S+ is too new\. Maximum supported API version is (\d+\.\d+)/.exec(
          error.message,
        )?.[1];
      if (!newest || call.body || compareApiVersions(newest, this.#version) >= 0) throw error;
      this.#version = newest;
      return await this.#once(call, upgrade);
    }
  }

  async json<T>(call: Call): Promise<T> {
    const text = await this.text(call);
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new Fault(
        "internal",
        `${call.path} at ${formatHost(this.host)} did not answer with JSON`,
        { cause },
      );
    }
  }

  async text(call: Call): Promise<string> {
    const response = await this.call(call);
    return (await collect(response.body, maxJson, `the answer to ${call.path}`)).toString();
  }

  /** A call whose answer has no body; true, or false when nothing had to be done (304). */
  async done(call: Call): Promise<boolean> {
    const response = await this.call(call);
    response.close();
    return response.status !== 304;
  }

  /** The values of a stream of JSON lines, each with its text. */
  async *messages<T>(call: Call): AsyncGenerator<{ readonly value: T; readonly text: string }> {
    const response = await this.call(call);
    for await (const line of lines(response.body)) {
      if (line.trim() !== "") yield { value: JSON.parse(line) as T, text: line };
    }
  }

  /** The two-way stream behind a call ("hijacking"). */
  async attach(call: Call): Promise<AttachedStream> {
    return new AttachedStream(await this.call(call, true));
  }

  /** Settles the version; gives the headers of the answer. */
  async ping(signal?: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const response = await this.#send({ method: "HEAD", path: "/_ping" }, false, signal);
    response.close();
    const server = response.headers.get("api-version");
    if (server && compareApiVersions(server, this.#version) < 0) this.#version = server;
    this.#negotiated = true;
    return response.headers;
  }

  async #once(call: Call, upgrade: boolean): Promise<HttpResponse> {
    const ours = call.path.startsWith("/thimble/");
    const path = `${ours ? "" : `/v${this.#version}`}${call.path}${renderQuery(call.query)}`;
    const body = call.json === undefined ? call.body : encoder.encode(JSON.stringify(call.json));
    const type = call.json === undefined ? "application/x-tar" : "application/json";
    const request: HttpRequest = {
      method: call.method,
      path,
      headers: { ...this.#headers, ...call.headers, ...defined({ "Content-Type": body && type }) },
      ...defined({ body }),
    };
    const response = await this.#send(request, upgrade, call.signal);
    const { status } = response;
    if ((status >= 200 && status < 300) || status === 304 || (status === 101 && upgrade)) {
      this.#negotiated = true;
      return response;
    }
    const text = (await collect(response.body, maxError, "an error")).toString();
    if (ours && status === 404 && text.includes("page not found")) {
      throw new Fault(
        "unsupported",
        `the engine at ${formatHost(this.host)} is not thimble: it has no ${call.path}`,
      );
    }
    throw new ResponseFault(status, errorMessage(text) ?? `HTTP status ${status}`);
  }

  async #send(
    request: HttpRequest,
    upgrade: boolean,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    if (signal?.aborted) throw new Fault("canceled", "canceled");
    const connection = await this.#dial(this.host);
    // Not only by closing the connection: a body whose source stalls would be waited for.
    const aborted = Promise.withResolvers<never>();
    const abort = () => {
      connection.close();
      aborted.reject(new Fault("canceled", "canceled"));
    };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const answer = exchange(connection, this.host, { ...request, upgrade });
      return await Promise.race([answer, aborted.promise]);
    } catch (error) {
      throw signal?.aborted ? new Fault("canceled", "canceled", { cause: error }) : error;
    }
  }
}

function errorMessage(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === "string" ? message : undefined;
  } catch {
    return text.trim() || undefined;
  }
}

function renderQuery(query: Call["query"] = {}): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || value === false) continue;
    const values = Array.isArray(value) ? value : [value === true ? "1" : String(value)];
    for (const one of values) parts.push(`${key}=${encodeURIComponent(one)}`);
  }
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}
