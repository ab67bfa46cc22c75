import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { Duplex, type TransformCallback } from "node:stream";
import { encodeWebSocketFrame, type ServerFrame, WebSocketDecoder } from "./websocket-frames.ts";

/** Added to a client's key to show that it was understood (RFC 6455, 1.3). */
const keySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Codes of a close (RFC 6455, 7.4.1). */
const normalClosure = 1000;
const protocolError = 1002;

/** The answer to a request for a websocket: the fields of a 101, or the text of a 400. */
export type Handshake =
  | { readonly fields: Readonly<Record<string, string>> }
  | { readonly refusal: string; readonly fields: Readonly<Record<string, string>> };

/** Answers a request for a websocket, with the texts of Docker's (golang.org/x/net/websocket). */
export function answerHandshake({ headers }: Pick<IncomingMessage, "headers">): Handshake {
  const has = (field: string | undefined, word: string) =>
    (field ?? "").split(",").some((each) => each.trim().toLowerCase() === word);
  if (!has(headers.upgrade, "websocket") || !has(headers.connection, "upgrade"))
    return { refusal: "not websocket protocol", fields: {} };
  const key = headers["sec-websocket-key"];
  if (!key) return { refusal: "mismatch challenge/response", fields: {} };
  if (headers["sec-websocket-version"] !== "13")
    return {
      refusal: "missing or bad WebSocket Version",
      fields: { "Sec-WebSocket-Version": "13" },
    };
  const protocols = headers["sec-websocket-protocol"];
  if (protocols?.includes(",")) return { refusal: "bad sub protocol", fields: {} };
  const accept = createHash("sha1").update(`${key}${keySuffix}`).digest("base64");
  return {
    fields: {
      Upgrade: "websocket",
      Connection: "Upgrade",
      "Sec-WebSocket-Accept": accept,
      ...(protocols && { "Sec-WebSocket-Protocol": protocols.trim() }),
    },
  };
}

/**
 * A websocket as a stream of bytes. Each chunk written is a message; the client's messages come as
 * bytes without their bounds. The client's close is the end of its bytes, and is answered once they
 * were read: the stream is destroyed then, as by the end of the connection. A client that breaks the
 * protocol is told so and loses its connection.
 */
export class WebSocketStream extends Duplex {
  readonly #socket: Socket;
  readonly #text: TextDecoder | undefined;
  readonly #decoder = new WebSocketDecoder();
  #closing = false;

  /** `early` are bytes behind the client's request; `text` sends messages as text. */
  constructor(socket: Socket, { early, text }: { early: Uint8Array; text: boolean }) {
    super();
    this.#socket = socket;
    this.#text = text ? new TextDecoder() : undefined;
    socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    socket.once("end", () => this.push(null));
    socket.once("close", () => this.destroy());
    socket.pause();
    if (early.byteLength > 0) this.#receive(early);
  }

  override _read(): void {
    if (!this.#closing) this.#socket.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: TransformCallback): void {
    const payload = this.#text ? Buffer.from(this.#text.decode(chunk, { stream: true })) : chunk;
    this.#send(this.#text ? "text" : "binary", payload, done);
  }

  override _final(done: TransformCallback): void {
    this.#close(normalClosure, done);
  }

  /** Destroys it once all that was written is on its way. */
  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy()).end();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroySoon();
    done(error);
  }

  #receive(bytes: Uint8Array): void {
    if (this.readableEnded || this.destroyed) return;
    try {
      for (const { kind, payload } of this.#decoder.push(bytes)) {
        if (kind === "data" && !this.push(payload)) this.#socket.pause();
        // Who does not read the answers gets no more of them.
        if (kind === "ping" && !this.#socket.writableNeedDrain) this.#send("pong", payload);
        if (kind === "close") this.#end(normalClosure);
      }
    } catch {
      this.#end(protocolError);
    }
  }

  /** Ends the client's bytes; what it sends after is not looked at. */
  #end(code: number): void {
    this.#socket.removeAllListeners("data").resume();
    this.once("end", () => this.#close(code, () => this.destroy()));
    this.push(null);
  }

  /** The answer to the client's close, or a close of our own. */
  #close(code: number, done: TransformCallback): void {
    const isFirst = !this.#closing;
    this.#closing = true;
    if (isFirst) this.#send("close", Buffer.from([code >> 8, code & 0xff]), done);
    else done();
  }

  #send(kind: ServerFrame, payload: Uint8Array, done: TransformCallback = () => undefined): void {
    if (this.#socket.destroyed) done();
    else this.#socket.write(encodeWebSocketFrame(kind, payload), () => done());
  }
}
