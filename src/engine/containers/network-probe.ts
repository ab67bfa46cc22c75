import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import type { Duplex } from "node:stream";
import { Fault, faultOf, parseIp } from "#base";
import type { NetworkCheck } from "#container";
import { connectInNamespace, type Fd, streamOf } from "#kernel";

/** As a program would tell it: 0 for one that is well, and a sentence. */
interface Answer {
  readonly exitCode: 0 | 1;
  readonly output: string;
}

/** Bytes of the body that are shown of an answer that is not a success. */
const shownBody = 1024;

/**
 * Asks a container over its own network: connections are made inside the namespace, so that a port
 * that listens on the container's loopback alone is reached as well. Rejects only once aborted.
 */
export async function probeNetwork(
  netns: Fd,
  check: NetworkCheck,
  signal: AbortSignal,
): Promise<Answer> {
  const host = check.kind === "http" ? check.host : "localhost";
  const place = `${host.includes(":") ? `[${host}]` : host}:${check.port}`;
  try {
    const stream = await connect(netns, { host, port: check.port }, signal);
    const abort = () => stream.destroy(faultOf(signal.reason));
    signal.addEventListener("abort", abort, { once: true });
    stream.on("error", () => undefined);
    try {
      if (check.kind === "http") return await askHttp(stream, { place, path: check.path });
      if (check.kind === "grpc") return await askGrpc(stream, { place, service: check.service });
      return { exitCode: 0, output: `${place} takes connections\n` };
    } finally {
      signal.removeEventListener("abort", abort);
      stream.destroy();
    }
  } catch (error) {
    signal.throwIfAborted();
    return { exitCode: 1, output: `${place}: ${faultOf(error).message}\n` };
  }
}

const loopback = ["127.0.0.1", "::1"].flatMap((text) => parseIp(text) ?? []);

/** At the first of its addresses that takes the connection. */
async function connect(
  netns: Fd,
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<Duplex> {
  let refusal: unknown;
  const given = parseIp(host);
  for (const address of given ? [given] : loopback) {
    try {
      return streamOf(await connectInNamespace(netns, { address, port }, signal));
    } catch (error) {
      signal.throwIfAborted();
      refusal ??= error;
    }
  }
  throw refusal;
}

/** Any status from 200 to 399 is a success, as for the probes of Kubernetes. */
function askHttp(
  stream: Duplex,
  { place, path }: { readonly place: string; readonly path: string },
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const headers = { host: place, "user-agent": "thimble-health", connection: "close" };
  const request = httpRequest({ path, headers, createConnection: () => stream });
  request.on("error", reject);
  request.on("response", (response) => {
    const { statusCode = 0, statusMessage = "" } = response;
    const isWell = statusCode >= 200 && statusCode < 400;
    let body = "";
    const done = () => {
      const status = `${place}${path}: ${statusCode} ${statusMessage}\n`;
      resolve({ exitCode: isWell ? 0 : 1, output: isWell ? status : status + body });
      response.destroy();
    };
    if (isWell) return done();
    response.setEncoding("utf8");
    response.on("data", (text: string) => {
      body = (body + text).slice(0, shownBody);
      if (body.length === shownBody) done();
    });
    response.on("end", done);
    response.on("error", done);
  });
  request.end();
  return promise;
}

const servingStatus = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;

/** Bytes of an answer, of which a handful are needed. */
const mostAnswer = 4096;

/** The protocol grpc.health.v1 (github.com/grpc/grpc, doc/health-checking.md). */
function askGrpc(
  stream: Duplex,
  { place, service }: { readonly place: string; readonly service: string },
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const session = connectHttp2(`http://${place}`, { createConnection: () => stream });
  session.on("error", reject);
  session.on("close", () =>
    reject(new Fault("unavailable", "the connection was closed before an answer came")),
  );
  const request = session.request({
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Check",
    "content-type": "application/grpc",
    te: "trailers",
  });
  let answer = Buffer.alloc(0);
  let code: string | undefined;
  let message = "";
  const take = (headers: { readonly [name: string]: unknown }) => {
    if (headers["grpc-status"] === undefined) return;
    code = String(headers["grpc-status"]);
    message = String(headers["grpc-message"] ?? "");
  };
  request.on("response", take);
  request.on("trailers", take);
  request.on("data", (bytes: Buffer) => {
    answer = Buffer.concat([answer, bytes]);
    if (answer.byteLength > mostAnswer)
      stream.destroy(new Fault("invalid", "the answer is too long"));
  });
  request.on("error", reject);
  request.on("end", () => {
    const status = code === "0" ? servingStatus[statusOf(answer)] : `error ${code} ${message}`;
    const name = service === "" ? place : `${place}/${service}`;
    resolve({ exitCode: status === "SERVING" ? 0 : 1, output: `${name}: ${status}\n` });
    session.close();
  });
  request.end(grpcMessage(service));
  return promise.finally(() => session.destroy());
}

/** HealthCheckRequest { string service = 1 }, after the five bytes of gRPC. */
function grpcMessage(service: string): Buffer {
  const text = Buffer.from(service);
  const body =
    text.byteLength === 0 ? text : Buffer.concat([Buffer.of(0x0a), varint(text.byteLength), text]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.byteLength, 1);
  return Buffer.concat([prefix, body]);
}

function varint(value: number): Buffer {
  return value < 0x80 ? Buffer.of(value) : Buffer.of((value & 0x7f) | 0x80, value >> 7);
}

/** HealthCheckResponse { ServingStatus status = 1 }, whose zero is not sent. */
function statusOf(answer: Buffer): number {
  const body = answer.subarray(5);
  return body[0] === 0x08 ? (body[1] ?? 0) : 0;
}
