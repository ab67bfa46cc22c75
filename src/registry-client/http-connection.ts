import { type ClientRequest, type IncomingMessage, request as openRequest } from "node:http";
import type { Socket } from "node:net";
import { collect, Fault, faultOf } from "#base";
import type { AddressKind } from "./address.ts";
import { droppedFault, exchangeFault, maxHeadBytes } from "./connection-fault.ts";
import { HeaderFields, requireHead } from "./header-fields.ts";
import { readBody, stallFault, unlessStalled } from "./response-body.ts";
import { SocketAgent } from "./socket-agent.ts";

/** Milliseconds. */
export interface Timeouts {
  /** Until a connection stands, TLS included. */
  readonly connect: number;
  /**
   * From the end of a request to the head of its answer; five times that for requests that write,
   * since a registry may have to copy the bytes first.
   */
  readonly response: number;
  /** The longest time without bytes in either direction; a few bytes now and then do not count. */
  readonly stall: number;
}

/** A body whose length is known beforehand; `open` is called again when it must be sent again. */
export interface RequestBody {
  readonly length: number;
  open(): AsyncIterable<Uint8Array>;
}

export interface WireRequest {
  readonly method: string;
  /** The target in the request line: a path with its query, or a whole URL for a proxy. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array | RequestBody | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderFields;
  /** Where the peer is. */
  readonly kind: AddressKind;
  /** The length of the body as it was announced; undefined when it was not. */
  readonly length: number | undefined;
  /** To be read once. Ends in `unavailable` when the connection drops early, in `timeout` when it stalls; leaving it early closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Done with the answer: a short body is read away, so that the connection serves again; a long one closes it. */
  discard(): Promise<void>;
}

const maxDiscard = 64 << 10;
const maxInterim = 20;

/**
 * One connection speaking HTTP/1.1, one exchange after the other: `node:http` over a socket
 * that leads to the address that was checked, with bounds on heads and on time.
 */
export class HttpConnection {
  /** Where it leads; `public` when a proxy stands between. */
  readonly kind: AddressKind;
  readonly about: string;
  /** Exchanges begun. */
  uses = 0;
  readonly #socket: Socket;
  readonly #agent: SocketAgent;
  readonly #timeouts: Timeouts;
  #message: IncomingMessage | undefined;
  #failure: Error | undefined;

  constructor(socket: Socket, options: { kind: AddressKind; about: string; timeouts: Timeouts }) {
    this.#socket = socket;
    this.#agent = new SocketAgent(socket);
    this.kind = options.kind;
    this.about = options.about;
    this.#timeouts = options.timeouts;
    socket.setNoDelay(true);
  }

  /**
   * Whether another exchange may begin: the server has neither hung up nor sent unexpected bytes.
   */
  get isIdle(): boolean {
    return !this.#socket.destroyed;
  }

  /** An unheld connection does not keep the process alive. */
  hold(held: boolean): void {
    if (held) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Why it was closed, when we closed it. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Closes both directions at once; pending reads and writes throw `reason`. */
  close(reason?: Error): void {
    this.#failure ??= reason;
    this.#message?.destroy(reason);
    this.#socket.destroy();
  }

  /** `done` is called once the connection may serve again, or with false when it may not. */
  async exchange(request: WireRequest, done: (reusable: boolean) => void): Promise<HttpResponse> {
    this.uses++;
    this.#message = undefined;
    const release = this.#obey(request.signal);
    const over = (complete: boolean) => {
      release();
      if (!complete) this.close();
      done(complete && this.isIdle);
    };
    try {
      const outgoing = this.#open(request);
      const answer = this.#answer(outgoing);
      const sent = this.#send(outgoing, request.body);
      const message = await this.#inTime(request.method, answer, sent.finished);
      const isWhole = sent.stop();
      requireHead(message, this.about);
      return await this.#response(request.method, message, (complete) =>
        over(complete && isWhole && outgoing.shouldKeepAlive),
      );
    } catch (error) {
      over(false);
      throw this.#failure ?? error;
    }
  }

  #obey(signal: AbortSignal | undefined): () => void {
    const abort = () => this.close(new Fault("canceled", "canceled", { cause: signal?.reason }));
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    return () => signal?.removeEventListener("abort", abort);
  }

  #open({ method, target, headers, body }: WireRequest): ClientRequest {
    const length = body instanceof Uint8Array ? body.byteLength : body?.length;
    const fields = headers.flat();
    if (length !== undefined) fields.push("Content-Length", String(length));
    return openRequest({
      agent: this.#agent,
      method,
      path: target,
      headers: fields,
      setHost: false,
      maxHeaderSize: maxHeadBytes,
    });
  }

  /** The head of the final answer. */
  #answer(outgoing: ClientRequest): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const refuse = (why: string) => fail(new Fault("invalid", `${this.about} ${why}`));
    const fail = (error: unknown) => {
      this.close(exchangeFault(this.about, error, "before it answered"));
      reject(this.#failure);
    };
    const closed = () => fail(droppedFault(this.about, "before it answered"));
    let interim = 0;
    outgoing
      .on("information", () => {
        if (++interim >= maxInterim) refuse("answers with interim responses without end");
      })
      .once("upgrade", () => refuse("answers in another protocol than it was asked in"))
      .once("response", (message) => {
        this.#message = message;
        outgoing.off("close", closed);
        // The reader of the body gets the error; without a listener it would end the process.
        message.on("error", () => undefined);
        resolve(message);
      })
      .once("close", closed)
      .on("error", fail);
    return promise;
  }

  #send(
    outgoing: ClientRequest,
    body: WireRequest["body"],
  ): { finished: Promise<void>; stop: () => boolean } {
    const state = { stopped: false, whole: false };
    const work = async () => {
      if (body instanceof Uint8Array) await this.#write(outgoing, body);
      else if (body) await this.#stream(outgoing, body, state);
      if (state.stopped) return;
      outgoing.end();
      state.whole = true;
    };
    const finished = work().catch((error: unknown) => {
      // After an early answer the peer may well have stopped reading, or hung up.
      if (!state.stopped && !this.#socket.destroyed) this.close(faultOf(error));
    });
    const stop = () => {
      state.stopped = true;
      return state.whole;
    };
    return { finished, stop };
  }

  async #stream(
    outgoing: ClientRequest,
    body: RequestBody,
    state: { readonly stopped: boolean },
  ): Promise<void> {
    let sent = 0;
    for await (const chunk of body.open()) {
      if (state.stopped) return;
      sent += chunk.byteLength;
      if (sent > body.length) break;
      await this.#write(outgoing, chunk);
    }
    if (sent === body.length || state.stopped) return;
    const amount = sent > body.length ? "more" : `only ${sent}`;
    throw new Fault(
      "internal",
      `${this.about}: ${body.length} bytes were to be sent, but there are ${amount}`,
    );
  }

  async #write(outgoing: ClientRequest, bytes: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (bytes.byteLength === 0 || outgoing.write(bytes)) return;
    await unlessStalled(this, this.#timeouts.stall, "takes no more data", async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      outgoing.once("drain", resolve).once("close", resolve);
      await promise;
      outgoing.off("drain", resolve).off("close", resolve);
    });
    if (this.#failure) throw this.#failure;
    if (this.#socket.destroyed) throw droppedFault(this.about, "while sending");
  }

  /** The time of an answer runs from the end of its request on. */
  async #inTime<T>(method: string, answer: Promise<T>, sent: Promise<void>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    let answered = false;
    void sent.then(() => {
      if (answered) return;
      const limit = this.#timeouts.response * (/^(GET|HEAD)$/.test(method) ? 1 : 5);
      timer = setTimeout(() => this.close(stallFault(this.about, limit, "does not answer")), limit);
    });
    try {
      return await answer;
    } finally {
      answered = true;
      clearTimeout(timer);
    }
  }

  async #response(
    method: string,
    message: IncomingMessage,
    done: (complete: boolean) => void,
  ): Promise<HttpResponse> {
    const { statusCode: status = 0, statusMessage: reason = "" } = message;
    const headers = new HeaderFields(message.rawHeaders);
    const isEmpty = method === "HEAD" || status === 204 || status === 304;
    const announced = headers.get("content-length");
    const length = isEmpty || announced === undefined ? undefined : Number(announced);
    let isOver = false;
    const over = (complete: boolean) => {
      if (!isOver) done(complete);
      isOver = true;
    };
    const body = readBody(message, { length, stall: this.#timeouts.stall, peer: this, over });
    // Nothing is to come, so that the connection may serve again at once.
    if (isEmpty || length === 0) await body.next();
    return {
      status,
      reason,
      headers,
      kind: this.kind,
      length,
      body,
      discard: async () => {
        const isShort = (length ?? 0) <= maxDiscard;
        if (!isOver && isShort) await collect(body, maxDiscard, this.about).catch(() => undefined);
        over(false);
      },
    };
  }
}
