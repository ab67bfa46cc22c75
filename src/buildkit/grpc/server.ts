import type { Duplex, Writable } from "node:stream";
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerWritableStream,
  type ServiceError,
} from "@grpc/grpc-js";
import type { Method } from "../protobuf/service.ts";
import { maxMessageBytes } from "./frame.ts";
import { statusOf } from "./status.ts";

/** What a handler knows of its call beside the messages. */
export interface CallContext {
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** A header; of one that came several times, all values with commas between them. */
  header(name: string): string | undefined;
}

/** A method with what answers it. */
export interface Handler {
  readonly definition: MethodDefinition<unknown, unknown>;
  readonly handle: unknown;
}

/** Answers one message with one. */
export function unary<In, Out>(
  method: Method<In, unknown, unknown, Out>,
  answer: (request: In, context: CallContext) => Promise<Out> | Out,
): Handler {
  const handle: handleUnaryCall<In, Out> = (call, callback) => {
    Promise.try(answer, call.request, contextOf(call)).then(
      (value) => callback(null, value),
      (error) => callback(serviceError(error)),
    );
  };
  return { definition: definitionOf(method), handle };
}

/** Answers one message with any number. */
export function streaming<In, Out>(
  method: Method<In, unknown, unknown, Out>,
  answer: (request: In, context: CallContext) => AsyncIterable<Out>,
): Handler {
  const handle: handleServerStreamingCall<In, Out> = (call) => {
    void sendAll(call, answer(call.request, contextOf(call)));
  };
  return { definition: definitionOf(method), handle };
}

/** Answers any number of messages with any number. */
export function duplex<In, Out>(
  method: Method<In, unknown, unknown, Out>,
  answer: (requests: AsyncIterable<In>, context: CallContext) => AsyncIterable<Out>,
): Handler {
  const handle: handleBidiStreamingCall<In, Out> = (call) => {
    // At the end of the requests the call is still to be answered.
    const requests = call.iterator({ destroyOnReturn: false });
    void sendAll(call, answer(requests, contextOf(call)));
  };
  return { definition: definitionOf(method), handle };
}

/** gRPC on connections that others accepted. */
export interface GrpcServer {
  /** Speaks HTTP/2 on a connection from its first byte on, until the client closes it. */
  accept(connection: Duplex): void;
  /** Ends all connections. */
  close(): void;
}

/** Serves methods by name, those of each service together. */
export function createGrpcServer(
  services: readonly Readonly<Record<string, Handler>>[],
): GrpcServer {
  const server = new Server({
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
  });
  for (const handlers of services) {
    const entries = Object.entries(handlers);
    server.addService(
      Object.fromEntries(entries.map(([name, { definition }]) => [name, definition])),
      Object.fromEntries(entries.map(([name, { handle }]) => [name, handle])) as never,
    );
  }
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    accept(connection) {
      // HTTP/2 knows no half of a connection.
      connection.once("end", () => connection.destroy());
      injector.injectConnection(connection);
    },
    close() {
      injector.destroy();
      server.forceShutdown();
    },
  };
}

/** Sends what an answer yields; stops asking for more once the client is gone. */
async function sendAll<Out>(
  call: ServerWritableStream<unknown, Out> | ServerDuplexStream<unknown, Out>,
  messages: AsyncIterable<Out>,
): Promise<void> {
  call.on("error", () => undefined);
  try {
    for await (const message of messages) {
      if (call.cancelled) return;
      if (!call.write(message)) await taken(call);
    }
    call.end();
  } catch (error) {
    if (!call.cancelled) call.emit("error", serviceError(error));
  }
}

async function taken(call: Writable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const events = ["drain", "close", "cancelled", "error"];
  for (const event of events) call.on(event, resolve);
  await promise;
  for (const event of events) call.off(event, resolve);
}

interface ServerCall {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  once(event: "cancelled", listener: () => void): unknown;
}

function contextOf(call: ServerCall): CallContext {
  const gone = new AbortController();
  call.once("cancelled", () => gone.abort());
  if (call.cancelled) gone.abort();
  return {
    signal: gone.signal,
    header: (name) => call.metadata.get(name).map(String).join(",") || undefined,
  };
}

function serviceError(error: unknown): Partial<ServiceError> & Error {
  const { code, message, details } = statusOf(error);
  const metadata = new Metadata();
  if (details) metadata.set("grpc-status-details-bin", Buffer.from(details));
  return Object.assign(new Error(message), { code, details: message, metadata });
}

function definitionOf<In, Out>(
  method: Method<In, unknown, unknown, Out>,
): MethodDefinition<unknown, unknown> {
  const { path, streamsRequests, streamsResponses, request, response } = method;
  const unread = () => {
    throw new Error(`${path} is answered here, not asked`);
  };
  return {
    path,
    ...{ requestStream: streamsRequests, responseStream: streamsResponses },
    requestSerialize: unread,
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (value) => Buffer.from(response.encode(value as Out)),
    responseDeserialize: unread,
  };
}
