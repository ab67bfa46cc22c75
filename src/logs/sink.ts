import type { Fault } from "#base";
import type { Endpoint, LogTarget, Shipment } from "#log-driver";

/** A connection to a receiver. */
export interface Sink {
  /**
   * Settles once the receiver has acknowledged the shipment or, where it never does, the kernel has
   * taken it. Rejects when the connection is broken, `unavailable`; then part of it may have arrived.
   */
  send(shipment: Shipment): Promise<void>;
  /** Settles with the reason when the connection is over, whichever end closed it. Never rejects. */
  readonly closed: Promise<Fault>;
  close(): void;
}

/** Milliseconds until a receiver that does not connect, take or acknowledge counts as broken. */
export const patience = 30_000;

/** Connects to the first endpoint that takes a connection; the fault of the last one if none does. */
export async function openSink(target: LogTarget, signal: AbortSignal): Promise<Sink> {
  let failure: unknown;
  for (const endpoint of target.endpoints) {
    try {
      return await connect(endpoint, target, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      failure = error;
    }
  }
  throw failure;
}

async function connect(endpoint: Endpoint, target: LogTarget, signal: AbortSignal): Promise<Sink> {
  if (endpoint.kind === "unixgram") {
    const { UnixDatagramSink } = await import("./datagram-sink.ts");
    return new UnixDatagramSink(endpoint.path);
  }
  if (endpoint.kind === "udp") {
    const { openUdpSink } = await import("./datagram-sink.ts");
    return await openUdpSink(endpoint);
  }
  const { openStreamSink } = await import("./stream-sink.ts");
  return await openStreamSink(endpoint, target, signal);
}

/** As users write addresses: "tcp://host:514", "unix:///dev/log". */
export function endpointText(endpoint: Endpoint): string {
  if ("path" in endpoint) return `${endpoint.kind}://${endpoint.path}`;
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  return `${endpoint.kind}://${host}:${endpoint.port}`;
}
