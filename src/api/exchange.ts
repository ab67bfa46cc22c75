import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { collect, Fault, limitStalls } from "#base";
import type { Owner } from "#engine";
import { type JsonMessage, wireLimits } from "#wire";
import { type ApiChange, hasChange } from "./api-change.ts";
import { faultText } from "./fault-response.ts";
import { type RawConnection, takeOver, takeUpgradeBody } from "./hijack.ts";
import { type BodySchema, parseJsonBody } from "./json-body.ts";
import type { Query } from "./query.ts";
import { answerHandshake, WebSocketStream } from "./websocket.ts";

export interface ExchangeParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly version: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly ownerOf: () => Owner;
  /** 0 when the client has read all that was sent to it. */
  readonly untaken: () => number;
  /** Milliseconds that a client may stand still in the middle of what others wait for. */
  readonly stallTime: number;
  /** Present when the client asked for an upgrade: bytes that followed the headers. */
  readonly head?: Uint8Array;
}

const noFields = Buffer.from("{}");

/** An answer before it is sent. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  /** Absent for a stream. */
  readonly body?: Uint8Array;
}

/** With the headers that it has beyond those. */
interface WholeAnswer extends Answer {
  readonly headers: OutgoingHttpHeaders;
}

/** Decides about answers before a byte of them is sent; throws what is sent in place of one. */
export type AnswerGate = (answer: Answer) => Promise<void>;

/** One request and the ways to answer it. A handler answers exactly once, or throws. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: Query;
  readonly #version: string;
  readonly #ownerOf: () => Owner;
  readonly #untaken: () => number;
  readonly #stallTime: number;
  readonly #params: Readonly<Record<string, string>>;
  readonly #gone = new AbortController();
  #head: Uint8Array | undefined;
  #bodyTaken: Uint8Array | undefined;
  #gate: AnswerGate | undefined;
  #held: WholeAnswer | undefined;

  constructor(parts: ExchangeParts) {
    this.request = parts.request;
    this.response = parts.response;
    this.#version = parts.version;
    this.query = parts.query;
    this.#ownerOf = parts.ownerOf;
    this.#untaken = parts.untaken;
    this.#stallTime = parts.stallTime;
    this.#params = parts.params;
    this.#head = parts.head;
    this.response.once("close", () => {
      if (!this.response.writableFinished) this.#gone.abort();
    });
  }

  /** Whether the version of the API that the client speaks has this change. */
  has(change: ApiChange): boolean {
    return hasChange(this.#version, change);
  }

  /** Aborted when the client goes away before its answer is complete. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** The user at the other end. */
  get owner(): Owner {
    return this.#ownerOf();
  }

  /**
   * Whether the client asked for an upgrade; older ones take the connection without asking. As in
   * Docker, the protocol that it names does not matter, and no `Connection: Upgrade` is needed.
   */
  get upgrades(): boolean {
    return this.#head !== undefined || this.request.headers.upgrade !== undefined;
  }

  param(name: string): string {
    return this.#params[name] ?? "";
  }

  /** The body as it comes. Who stops reading early still can answer: the rest is dropped then. */
  get body(): AsyncIterable<Uint8Array> {
    const taken = this.#bodyTaken;
    if (!taken) return this.request.iterator({ destroyOnReturn: false });
    return (async function* () {
      if (taken.byteLength > 0) yield taken;
    })();
  }

  /** The body for work that keeps others waiting: `timeout` when the client stops sending for too long. */
  get steadyBody(): AsyncIterable<Uint8Array> {
    return limitStalls(this.body, this.#stallTime, "the request body");
  }

  /** Has `gate` decide about the answer: whole ones wait for `release`, streams for their first bytes. */
  hold(gate: AnswerGate): void {
    this.#gate = gate;
  }

  /** Sends a whole answer that was held, once the gate has let it pass. */
  async release(): Promise<void> {
    const held = this.#held;
    if (!held) return;
    await this.#gate?.(held);
    this.#held = undefined;
    this.#write(held);
  }

  /** The body as a JSON object of this schema, which may be missing unless it is `required`. Docker insists on the content type. */
  async json<T>(
    schema: BodySchema<T>,
    { required = false }: { readonly required?: boolean } = {},
  ): Promise<T> {
    const type = (this.request.headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";
    const bytes = await this.#bodyBytes();
    if (type !== "application/json" && (type !== "" || bytes.byteLength > 0))
      throw new Fault(
        "invalid",
        `unsupported Content-Type header (${type}): must be 'application/json'`,
      );
    return parseJsonBody(bytes.byteLength === 0 && !required ? noFields : bytes, schema);
  }

  async #bodyBytes(): Promise<Uint8Array> {
    const { jsonBytes } = wireLimits;
    const announced = Number(this.request.headers["content-length"] ?? 0);
    if (announced > jsonBytes)
      throw new Fault(
        "invalid",
        `the request body has ${announced} bytes; at most ${jsonBytes} are accepted`,
      );
    return await this.takeBody(jsonBytes, "the request body");
  }

  /** The whole body, for whoever asks for it first; it is `body` as before. `exhausted` when it is larger than `limit`. */
  async takeBody(limit: number, what: string): Promise<Uint8Array> {
    this.#bodyTaken ??= await this.#readBody(limit, what);
    return this.#bodyTaken;
  }

  async #readBody(limit: number, what: string): Promise<Uint8Array> {
    if (this.#head === undefined) return await collect(this.body, limit, what);
    const announced = Number(this.request.headers["content-length"] ?? 0);
    const { body, rest } = await takeUpgradeBody(this.request, this.#head, announced);
    this.#head = rest;
    return body;
  }

  sendJson(status: number, value: unknown): void {
    const body = Buffer.from(`${JSON.stringify(value)}\n`);
    this.#send({ status, contentType: "application/json", body });
  }

  sendBytes(contentType: string, bytes: Uint8Array): void {
    this.#send({ status: 200, contentType, body: bytes });
  }

  /** A fault on an endpoint whose connections become streams, where Docker answers in plain text. */
  sendFault(fault: Fault, contentType: string): void {
    const { status, message } = faultText(fault);
    this.#send({ status, contentType, body: Buffer.from(`${message}\r\n`) });
  }

  sendEmpty(status: number): void {
    this.#send({ status, contentType: "" });
  }

  /** With further headers. */
  sendText(text: string, headers: Readonly<Record<string, string>>): void {
    this.#send(
      { status: 200, contentType: "text/plain; charset=utf-8", body: Buffer.from(text) },
      headers,
    );
  }

  #send(answer: Answer, headers: OutgoingHttpHeaders = {}): void {
    if (this.#gate) this.#held = { ...answer, headers };
    else this.#write({ ...answer, headers });
  }

  #write({ status, contentType, body, headers }: WholeAnswer): void {
    const hasLength = status !== 204 && status !== 304;
    // Head and body in one write, which wakes the client once.
    const { socket } = this.response;
    socket?.cork();
    this.response.writeHead(status, {
      ...headers,
      ...(contentType && { "Content-Type": contentType }),
      ...(hasLength && { "Content-Length": body?.byteLength ?? 0 }),
    });
    this.response.end(this.request.method === "HEAD" ? undefined : body);
    socket?.uncork();
  }

  /** Sends the headers at once; the answer follows with `write`. */
  begin(contentType: string): void {
    this.response.writeHead(200, { "Content-Type": contentType });
    this.response.flushHeaders();
  }

  /**
   * Resolves when more may be written; false when the client is gone.
   * @param patience milliseconds after which a client that reads nothing is cut off
   */
  async write(bytes: Uint8Array | string, patience?: number): Promise<boolean> {
    const { response } = this;
    if (this.signal.aborted) return false;
    if (response.write(bytes)) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    response.once("drain", resolve);
    response.once("close", resolve);
    const timer = patience && setTimeout(() => response.destroy(), patience);
    await promise;
    if (timer) clearTimeout(timer);
    response.off("drain", resolve);
    response.off("close", resolve);
    return !this.signal.aborted;
  }

  /**
   * Streams a body. The first chunk is awaited before the headers unless `atOnce`, so that a
   * failure at the beginning still gets its status. `steady`: others wait until it is over, so that
   * a client that stops reading is cut off.
   */
  async stream(
    contentType: string,
    source: AsyncIterable<Uint8Array | string>,
    {
      atOnce = false,
      steady = false,
    }: { readonly atOnce?: boolean; readonly steady?: boolean } = {},
  ): Promise<void> {
    if (atOnce) this.begin(contentType);
    for await (const chunk of source) {
      if (!this.response.headersSent) await this.#beginStream(contentType);
      if (!(await this.write(chunk, steady ? this.#stallTime : undefined))) return;
    }
    if (!this.response.headersSent) await this.#beginStream(contentType);
    this.response.end();
  }

  async #beginStream(contentType: string): Promise<void> {
    await this.#gate?.({ status: 200, contentType });
    this.begin(contentType);
  }

  /**
   * One line of a progress stream; the first one sends the headers. A slow reader of progress is
   * not waited for.
   */
  progress(message: JsonMessage): void {
    if (this.signal.aborted) return;
    if (!this.response.headersSent) this.begin("application/json");
    this.response.write(`${JSON.stringify(message)}\r\n`);
  }

  /**
   * Takes the connection over for a raw stream. A client that did not ask for an upgrade gets a 200
   * and the stream all the same, as dockerd does.
   */
  async hijack(
    contentType: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<RawConnection> {
    // A body that the endpoint does not take (dockerode sends its options) is not standard input.
    if (this.#head !== undefined) await this.#bodyBytes();
    const type = { "Content-Type": contentType, ...headers };
    return this.upgrades
      ? this.#takeOver("101 UPGRADED", { ...type, Connection: "Upgrade", Upgrade: "tcp" })
      : this.#takeOver("200 OK", type);
  }

  /** Takes the connection over for another protocol, for which the client asked. */
  switchTo(protocol: string): RawConnection {
    const headers = { Connection: "Upgrade", Upgrade: protocol };
    return this.#takeOver("101 Switching Protocols", headers);
  }

  /**
   * Makes the connection a websocket, whose messages are text or binary; undefined when the client
   * did not ask for one as it should, which it is told.
   */
  openWebSocket({ text }: { readonly text: boolean }): RawConnection | undefined {
    const handshake = answerHandshake(this.request);
    if ("refusal" in handshake) {
      this.response.writeHead(400, handshake.fields).end(handshake.refusal);
      return undefined;
    }
    const raw = this.#takeOver("101 Switching Protocols", handshake.fields);
    return {
      ...raw,
      socket: new WebSocketStream(raw.socket, { early: raw.early, text }),
      early: new Uint8Array(0),
    };
  }

  #takeOver(status: string, headers: Readonly<Record<string, string>>) {
    const early = this.#head ?? new Uint8Array(0);
    return takeOver(this.response, { status, headers, early, untaken: this.#untaken });
  }
}
