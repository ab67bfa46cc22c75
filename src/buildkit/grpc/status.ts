import { Fault, type FaultCode, faultOf } from "#base";

/** The codes of gRPC for faults (grpc.io/docs/guides/status-codes). */
const codes: Readonly<Record<FaultCode, number>> = {
  ...{ canceled: 1, internal: 2, invalid: 3, timeout: 4, not_found: 5, exists: 6, denied: 7 },
  ...{ exhausted: 8, conflict: 9, not_modified: 9, unsupported: 12, unavailable: 14 },
  ...{ data_loss: 15, unauthenticated: 16 },
};

/** What a client of ours is told of a failure. */
export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
  /** An encoded google.rpc.Status with more about it. */
  readonly details?: Uint8Array | undefined;
}

/** An error that is told to the client as this status. */
export class StatusError extends Error {
  readonly status: GrpcStatus;

  constructor(status: GrpcStatus) {
    super(status.message);
    this.status = status;
  }
}

/** A thrown value as a status. A defect is `unknown`, as errors of Go's servers are. */
export function statusOf(error: unknown): GrpcStatus {
  if (error instanceof StatusError) return error.status;
  const { code, message } = faultOf(error);
  return { code: codes[code], message };
}

const faults: Readonly<Record<number, FaultCode>> = {
  ...{ 1: "canceled", 3: "invalid", 4: "timeout", 5: "not_found", 6: "exists", 7: "denied" },
  ...{ 8: "exhausted", 9: "conflict", 12: "unsupported", 13: "internal", 14: "unavailable" },
  ...{ 15: "data_loss", 16: "unauthenticated" },
};

/** A status that a client's service answered as a fault: `internal` for codes without a fault's name. */
export function faultOfStatus({ code, message }: GrpcStatus, about: string): Fault {
  return new Fault(faults[code] ?? "internal", message || `${about} failed with code ${code}`, {
    about,
  });
}
