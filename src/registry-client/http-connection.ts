import type { Socket } from "node:net";
import { collect, Fault, faultOf } from "#base";
import type { AddressKind } from "./address.ts";
import {
  bodyFraming,
  type Framing,
  type HeaderFields,
  maxHeadBytes,
  parseHead,
  type ResponseHead,
} from "./http-head.ts";
import { Inbound } from "./inbound.ts";

/** Milliseconds. */
export interface Timeouts {
  /** Until a connection stands, TLS included. */
  readonly connect: number;
  /** From the end of a request to the head of its answer; five times that for what writes: a registry may have to copy what it was sent. */
  readonly response: number;
  /** Without bytes moving, in either direction; a few now and then are none. */
  readonly stall: number;
}

/** A body whose length is known beforehand; `open` is called again when it must be sent again. */
export interface RequestBody {
  readonly length: number;
  open(): AsyncIterable<Uint8Array>;
}

export interface WireRequest {
  readonly method: string;
  /** What stands in the request line: a path with its query, or a whole URL for a proxy. */
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
  /** Of the body as it was announced; undefined when it was not. */
  readonly length: number | undefined;
  /** To be read once. Ends in `unavailable` when the connection drops early, in `timeout` when it stalls; leaving it early closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Done with the answer: a short body is read away, so that the connection serves again; a long one closes it. */
  discard(): Promise<void>;
}

const maxDiscard = 64 << 10;
const maxInterim = 20;
/** Less than this in the time of a stall, all of it spent waiting, is as good as nothing: who drips would hold us for ever. */
const leastBytes = 4 << 10;

/**
 * One connection speaking HTTP/1.1, one exchange after the other.
 *
 * Ours because each of its parts is needed at once: the address that was checked is the
 * one connected to, heads are bounded, and a body has backpressure and a stall timeout.
 * Measured with a 1 GiB body on loopback, Bun 1.4.5 (throughput in MB/s plain/TLS, CPU
 * seconds, peak RSS with a fast/slow reader): fetch 3731/2912, 0.28/0.35 s, 87/75 MB;
 * node:http 4553/2590, 0.30/0.47 s, 89/81 MB; sockets of node:net and node:tls 5675/4068,
 * 0.21/0.29 s, 87/76 MB. All three hold a slow reader back; the base RSS was 36 MB.
 * Chunks are what one read of the kernel gives, at most 512 KiB.
 */
export class HttpConnection {
  /** Where it leads; `public` when a proxy stands between. */
  readonly kind: AddressKind;
  readonly about: string;
  /** Exchanges begun. */
  uses = 0;
  readonly #socket: Socket;
  readonly #timeouts: Timeouts;
  readonly #inbound: Inbound;
  #failure: Error | undefined;
  /** Since the last `leastBytes` of a body. */
  #waited = 0;
  #received = 0;

  constructor(
    socket: Socket,
    options: { kind: AddressKind; about: string; timeouts: Timeouts; rest?: Uint8Array },
  ) {
    this.#socket = socket;
    this.kind = options.kind;
    this.about = options.about;
    this.#timeouts = options.timeouts;
    this.#inbound = new Inbound(socket);
    socket.setNoDelay(true);
    socket.on("data", (bytes: Uint8Array) => this.#inbound.push(bytes));
    socket.on("end", () => this.#inbound.finish());
    socket.on("close", () => this.#inbound.finish());
    socket.on("error", (error) => {
      // What came before it is still an answer, as to a request that was too large.
      this.#failure ??= connectionFault(this.about, error);
      this.#inbound.finish(this.#failure);
      socket.destroy();
    });
  }

  /** Whether another exchange may begin: no bytes are left over, and the server has not hung up. */
  get isIdle(): boolean {
    return !this.#inbound.ended && this.#inbound.isEmpty && !this.#socket.destroyed;
  }

  /** An unheld connection does not keep the process alive. */
  hold(held: boolean): void {
    if (held) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Both directions at once; who reads or writes gets `reason`. */
  close(reason?: Error): void {
    this.#failure ??= reason;
    this.#inbound.drop(reason);
    this.#socket.destroy();
  }

  /** `done` is called once the connection may serve again, or with false when it may not. */
  async exchange(request: WireRequest, done: (reusable: boolean) => void): Promise<HttpResponse> {
    this.uses++;
    this.#progress(leastBytes);
    const release = this.#obey(request.signal);
    try {
      const sent = this.#send(request);
      const head = await this.#receiveHead(request.method, sent.finished);
      const isWhole = sent.stop();
      const framing = bodyFraming(request.method, head, this.about);
      const reusable = isWhole && head.keepAlive && framing.kind !== "close";
      return this.#response(head, framing, (complete) => {
        release();
        const again = complete && reusable && this.isIdle;
        if (!again) this.close();
        done(again);
      });
    } catch (error) {
      release();
      this.close();
      done(false);
      throw this.#failure ?? error;
    }
  }

  #obey(signal: AbortSignal | undefined): () => void {
    const abort = () => this.close(new Fault("canceled", "canceled", { cause: signal?.reason }));
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    return () => signal?.removeEventListener("abort", abort);
  }

  #send(request: WireRequest): { finished: Promise<void>; stop: () => boolean } {
    const { body } = request;
    const fields = request.headers.map(([name, value]) => `${name}: ${value}\r\n`);
    const length = body instanceof Uint8Array ? body.byteLength : body?.length;
    if (length !== undefined) fields.push(`Content-Length: ${length}\r\n`);
    this.#socket.write(
      Buffer.from(
        `${request.method} ${request.target} HTTP/1.1\r\n${fields.join("")}\r\n`,
        "latin1",
      ),
    );
    const state = { stopped: false, whole: false };
    const work = async () => {
      if (body instanceof Uint8Array) await this.#write(body);
      else if (body) await this.#stream(body, state);
      state.whole = !state.stopped;
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

  async #stream(body: RequestBody, state: { readonly stopped: boolean }): Promise<void> {
    let sent = 0;
    for await (const chunk of body.open()) {
      if (state.stopped) return;
      sent += chunk.byteLength;
      if (sent > body.length) break;
      await this.#write(chunk);
    }
    if (sent === body.length || state.stopped) return;
    const amount = sent > body.length ? "more" : `only ${sent}`;
    throw new Fault(
      "internal",
      `${this.about}: ${body.length} bytes were to be sent, but there are ${amount}`,
    );
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (bytes.byteLength === 0 || this.#socket.write(bytes)) return;
    await this.#within(this.#timeouts.stall, "takes no more data", async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#socket.once("drain", resolve).once("close", resolve);
      await promise;
      this.#socket.off("drain", resolve).off("close", resolve);
    });
    if (this.#failure) throw this.#failure;
    if (this.#socket.destroyed) throw dropped(this.about, "while sending");
  }

  /** The head of the final answer. Its time runs from the end of the request on. */
  async #receiveHead(method: string, sent: Promise<void>): Promise<ResponseHead> {
    let timer: NodeJS.Timeout | undefined;
    let answered = false;
    void sent.then(() => {
      if (answered) return;
      const limit = this.#timeouts.response * (/^(GET|HEAD)$/.test(method) ? 1 : 5);
      timer = setTimeout(() => this.close(stalled(this.about, limit, "does not answer")), limit);
    });
    try {
      for (let interim = 0; interim < maxInterim; interim++) {
        const head = parseHead(await this.#readUntilEmptyLine(), this.about);
        if (head.status >= 200) return head;
      }
      throw new Fault("invalid", `${this.about} answers with interim responses without end`);
    } finally {
      answered = true;
      clearTimeout(timer);
    }
  }

  async #readUntilEmptyLine(): Promise<Buffer> {
    let held: Buffer = Buffer.alloc(0);
    for (;;) {
      const next = await this.#inbound.read();
      if (!next) throw dropped(this.about, "before it answered");
      const from = Math.max(0, held.length - 3);
      held =
        held.length === 0
          ? Buffer.from(next.buffer, next.byteOffset, next.length)
          : Buffer.concat([held, next]);
      const end = held.indexOf("\r\n\r\n", from);
      if (end >= 0 && end <= maxHeadBytes) {
        this.#inbound.unread(held.subarray(end + 4));
        return held.subarray(0, end);
      }
      if (held.length > maxHeadBytes) {
        throw new Fault(
          "exhausted",
          `${this.about} answers with headers of more than ${maxHeadBytes} bytes`,
          { about: this.about },
        );
      }
    }
  }

  #response(head: ResponseHead, framing: Framing, done: (complete: boolean) => void): HttpResponse {
    let isOver = false;
    const over = (complete: boolean) => {
      if (!isOver) done(complete);
      isOver = true;
    };
    if (framing.kind === "none" || (framing.kind === "length" && framing.length === 0)) over(true);
    const body = isOver ? empty() : this.#body(framing, over);
    return {
      status: head.status,
      reason: head.reason,
      headers: head.headers,
      kind: this.kind,
      length: framing.kind === "length" ? framing.length : undefined,
      body,
      discard: async () => {
        const isShort = framing.kind !== "length" || framing.length <= maxDiscard;
        if (!isOver && isShort) await collect(body, maxDiscard, this.about).catch(() => undefined);
        over(false);
      },
    };
  }

  async *#body(framing: Framing, over: (complete: boolean) => void): AsyncGenerator<Uint8Array> {
    let complete = false;
    try {
      if (framing.kind === "length") yield* this.#counted(framing.length);
      else if (framing.kind === "chunked") yield* this.#chunked();
      else {
        for (let next = await this.#next(); next; next = await this.#next()) yield next;
      }
      complete = true;
    } finally {
      over(complete);
    }
  }

  async *#counted(length: number): AsyncGenerator<Uint8Array> {
    let left = length;
    while (left > 0) {
      const next = await this.#next();
      if (!next) throw dropped(this.about, `with ${left} of ${length} bytes missing`);
      const part = next.byteLength > left ? next.subarray(0, left) : next;
      if (part !== next) this.#inbound.unread(next.subarray(left));
      left -= part.byteLength;
      yield part;
    }
  }

  async *#chunked(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const line = await this.#line(256);
      const size = /^([0-9a-f]{1,10})[ \t]*(;.*)?$/i.exec(line)?.[1];
      if (size === undefined) {
        throw new Fault("invalid", `${this.about} answers in broken chunks`, { about: this.about });
      }
      const length = Number.parseInt(size, 16);
      if (length === 0) break;
      yield* this.#counted(length);
      if ((await this.#line(2)) !== "") {
        throw new Fault("invalid", `${this.about} answers in broken chunks`, { about: this.about });
      }
    }
    for (let line = await this.#line(maxHeadBytes), n = 0; line !== ""; n++) {
      if (n > 100) throw new Fault("exhausted", `${this.about} sends trailers without end`);
      line = await this.#line(maxHeadBytes);
    }
  }

  async #line(limit: number): Promise<string> {
    let line = "";
    for (;;) {
      const next = await this.#next();
      if (!next) throw dropped(this.about, "in the middle of its answer");
      const bytes = Buffer.from(next.buffer, next.byteOffset, next.byteLength);
      const end = bytes.indexOf(0x0a);
      line += bytes.toString("latin1", 0, end < 0 ? Math.min(bytes.length, limit + 2) : end);
      if (line.length > limit + 1) {
        throw new Fault("invalid", `${this.about} answers in broken chunks`, { about: this.about });
      }
      if (end < 0) continue;
      this.#inbound.unread(next.subarray(end + 1));
      return line.replace(/\r$/, "");
    }
  }

  async #next(): Promise<Uint8Array | undefined> {
    const begun = performance.now();
    const isWaiting = this.#inbound.isEmpty && !this.#inbound.ended;
    const next = isWaiting
      ? await this.#within(
          this.#timeouts.stall,
          "sends no more data",
          () => this.#inbound.read(),
          this.#waited,
        )
      : await this.#inbound.read();
    if (isWaiting) this.#waited += performance.now() - begun;
    this.#progress(next?.byteLength ?? 0);
    return next;
  }

  #progress(bytes: number): void {
    this.#received += bytes;
    if (this.#received < leastBytes) return;
    this.#received = 0;
    this.#waited = 0;
  }

  async #within<T>(limit: number, complaint: string, work: () => Promise<T>, gone = 0): Promise<T> {
    const timer = setTimeout(
      () => this.close(stalled(this.about, limit, complaint)),
      Math.max(0, limit - gone),
    );
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }
}

async function* empty(): AsyncGenerator<Uint8Array> {
  // An answer without a body.
}

function dropped(about: string, when: string): Fault {
  return new Fault("unavailable", `${about} closed the connection ${when}`, { about });
}

function stalled(about: string, limit: number, complaint: string): Fault {
  return new Fault("timeout", `${about} ${complaint} (waited ${limit / 1000} s)`, { about });
}

/** What went wrong on the way to a host or on its connection: `unavailable`, or `denied` for a certificate. */
export function connectionFault(about: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { readonly code?: unknown } | null)?.code;
  const reason = typeof code === "string" ? code : "";
  const host = about.replace(/^cannot connect to /, "");
  if (/ALERT.*CERT/.test(reason)) {
    return new Fault(
      "denied",
      `${host} does not take our certificate, or wants one: ${message}; put NAME.cert and NAME.key into the host's directory of certs.d`,
      { about, cause: error },
    );
  }
  const isCertificate = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME/.test(reason);
  if (isCertificate) {
    return new Fault(
      "denied",
      `${host} shows a certificate that is not trusted: ${message}; put the certificate of its authority into the host's directory of certs.d`,
      { about, cause: error },
    );
  }
  return new Fault("unavailable", `${about}: ${message}`, { about, cause: error });
}
