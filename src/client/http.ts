import { Fault } from "#base";
import { brokenFault, type Connection } from "./connection.ts";
import { formatHost, type Host } from "./host.ts";

/**
 * HTTP/1.1 (RFC 9112) as far as a client of an engine needs it: one exchange on one
 * connection, streams both ways, and the upgrade that Docker calls hijacking.
 * node:http costs 14 ms before the first byte under Bun; this is why it is not used.
 */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, already encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes of a known length, or a stream that is sent in chunks. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  /** Ask for the raw stream behind the response ("Upgrade: tcp"). */
  readonly upgrade?: boolean;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; the last of several wins. */
  readonly headers: ReadonlyMap<string, string>;
  /** The decoded body; the connection closes at its end. To be read once, or closed. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The connection itself after a 101 (or a 200 without a length, as old servers answer); bytes already here come first. */
  hijack(): Connection;
  close(): void;
}

const maxHead = 64 * 1024;
const encoder = new TextEncoder();

/** Sends the request and gives the response once its head is here. Closes the connection on every failure. */
export async function exchange(
  connection: Connection,
  host: Host,
  request: HttpRequest,
): Promise<HttpResponse> {
  const reader = new ResponseReader(connection, host);
  try {
    const sending = send(connection, host, request, (reason) => reader.fail(reason));
    // A server may answer before it has read the whole body, and close: then the answer counts.
    sending.catch(() => undefined);
    for (;;) {
      const head = await reader.head().catch(async (error) => {
        await sending;
        throw error;
      });
      if (head.status >= 200 || head.status === 101) {
        return reader.response(head, request.method === "HEAD");
      }
    }
  } catch (error) {
    connection.close();
    throw error;
  }
}

async function send(
  connection: Connection,
  host: Host,
  request: HttpRequest,
  onUnreadable: (reason: unknown) => void,
): Promise<void> {
  const { body } = request;
  const name = host.kind !== "tcp" ? "localhost" : formatHost(host).slice("tcp://".length);
  const fields: Record<string, string> = {
    Host: name,
    Connection: request.upgrade ? "Upgrade" : "close",
    ...(request.upgrade ? { Upgrade: "tcp" } : {}),
    ...request.headers,
  };
  const streamed = body !== undefined && !(body instanceof Uint8Array);
  if (streamed) fields["Transfer-Encoding"] = "chunked";
  else if (body || request.method === "POST") fields["Content-Length"] = `${body?.byteLength ?? 0}`;
  const lines = Object.entries(fields).map(([key, value]) => `${key}: ${value}\r\n`);
  const head = encoder.encode(
    `${request.method} ${request.path} HTTP/1.1\r\n${lines.join("")}\r\n`,
  );
  if (!streamed) {
    await connection.write(body ? Buffer.concat([head, body]) : head);
    return;
  }
  await connection.write(head);
  for await (const chunk of reporting(body, onUnreadable)) {
    if (chunk.byteLength === 0) continue;
    const size = encoder.encode(`${chunk.byteLength.toString(16)}\r\n`);
    await connection.write(Buffer.concat([size, chunk, crlf]));
  }
  await connection.write(encoder.encode("0\r\n\r\n"));
}

/** The same stream; `onFailure` learns why it broke off, which a failure of its reader is not. */
async function* reporting(
  source: AsyncIterable<Uint8Array>,
  onFailure: (reason: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    onFailure(error);
    throw error;
  }
}

const crlf = encoder.encode("\r\n");

interface Head {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

class ResponseReader {
  readonly #connection: Connection;
  readonly #host: Host;
  #rest: Buffer = Buffer.alloc(0);
  #failure: { readonly reason: unknown } | undefined;

  constructor(connection: Connection, host: Host) {
    this.#connection = connection;
    this.#host = host;
  }

  /** There will be no whole request, so no answer to wait for: reading ends with `reason`. */
  fail(reason: unknown): void {
    this.#failure = { reason };
    this.#connection.close();
  }

  async head(): Promise<Head> {
    let end = this.#rest.indexOf("\r\n\r\n");
    while (end < 0) {
      if (this.#rest.byteLength > maxHead) throw this.#malformed("its header is too large");
      await this.#more("before an answer came");
      end = this.#rest.indexOf("\r\n\r\n");
    }
    const [first = "", ...fields] = this.#rest.toString("latin1", 0, end).split("\r\n");
    this.#rest = this.#rest.subarray(end + 4);
    const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first);
    if (!status) throw this.#malformed("this is not HTTP");
    const headers = new Map<string, string>();
    for (const field of fields) {
      const colon = field.indexOf(":");
      if (colon <= 0) throw this.#malformed("a header line has no name");
      headers.set(field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim());
    }
    return { status: Number(status[1]), headers };
  }

  response(head: Head, headOnly: boolean): HttpResponse {
    const { status, headers } = head;
    const empty = headOnly || status === 204 || status === 304;
    const close = () => this.#connection.close();
    return {
      status,
      headers,
      body: this.#body(headers, empty),
      hijack: () => this.#raw(),
      close,
    };
  }

  async *#body(headers: ReadonlyMap<string, string>, empty: boolean): AsyncGenerator<Uint8Array> {
    try {
      if (empty) return;
      if (/(?:^|,)\s*chunked$/i.test(headers.get("transfer-encoding") ?? "")) {
        yield* this.#chunks();
        return;
      }
      const length = headers.get("content-length");
      if (length === undefined) {
        yield* this.#untilEnd();
      } else {
        if (!/^\d{1,15}$/.test(length)) throw this.#malformed("its length is not a number");
        yield* this.#exactly(Number(length));
      }
    } finally {
      this.#connection.close();
    }
  }

  async *#untilEnd(): AsyncGenerator<Uint8Array> {
    if (this.#rest.byteLength > 0) yield this.#take(this.#rest.byteLength);
    for (let chunk = await this.#connection.read(); chunk; chunk = await this.#connection.read()) {
      yield chunk;
    }
  }

  async *#exactly(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0; ) {
      if (this.#rest.byteLength === 0) await this.#more("in the middle of an answer");
      const part = this.#take(Math.min(left, this.#rest.byteLength));
      left -= part.byteLength;
      yield part;
    }
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const line = await this.#line();
      const size = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(line);
      if (!size) throw this.#malformed("a chunk has no size");
      const length = Number.parseInt(size[1] ?? "", 16);
      if (length === 0) break;
      yield* this.#exactly(length);
      if ((await this.#line()) !== "") throw this.#malformed("a chunk is longer than its size");
    }
    while ((await this.#line()) !== "");
  }

  async #line(): Promise<string> {
    let end = this.#rest.indexOf("\r\n");
    while (end < 0) {
      if (this.#rest.byteLength > 4096) throw this.#malformed("a chunk's line is too long");
      await this.#more("in the middle of an answer");
      end = this.#rest.indexOf("\r\n");
    }
    return this.#take(end + 2).toString("latin1", 0, end);
  }

  #take(length: number): Buffer {
    const part = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return part;
  }

  async #more(when: string): Promise<void> {
    const chunk = await this.#connection.read();
    if (!chunk && this.#failure) throw this.#failure.reason;
    if (!chunk) throw brokenFault(this.#host, `the engine closed it ${when}`);
    this.#rest =
      this.#rest.byteLength === 0
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
        : Buffer.concat([this.#rest, chunk]);
  }

  #raw(): Connection {
    let early: Uint8Array | undefined =
      this.#rest.byteLength > 0 ? this.#take(this.#rest.byteLength) : undefined;
    const connection = this.#connection;
    return {
      write: (bytes) => connection.write(bytes),
      end: () => connection.end(),
      close: () => connection.close(),
      read: () => {
        const bytes = early;
        early = undefined;
        return bytes ? Promise.resolve(bytes) : connection.read();
      },
    };
  }

  #malformed(why: string): Fault {
    const where = formatHost(this.#host);
    return new Fault("internal", `the answer from ${where} cannot be read: ${why}`, {
      about: where,
    });
  }
}
