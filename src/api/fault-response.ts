import type { Fault, FaultCode } from "#base";
import { compareApiVersions } from "#wire";

/** The one table from faults to HTTP, as dockerd has it: a fault that the client did not cause is a 500. */
const statusOf: Readonly<Record<FaultCode, number>> = {
  invalid: 400,
  not_found: 404,
  exists: 409,
  conflict: 409,
  not_modified: 304,
  denied: 403,
  unauthenticated: 401,
  exhausted: 500,
  unavailable: 503,
  unsupported: 501,
  data_loss: 500,
  timeout: 500,
  canceled: 500,
  internal: 500,
};

export interface FaultResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The status of a fault and its text, which is never empty. */
export function faultText(fault: Fault): { readonly status: number; readonly message: string } {
  const message = fault.message || "the engine failed and did not say why; its log may";
  return { status: statusOf[fault.code], message };
}

/** How a fault is answered; clients older than 1.24 read plain text. */
export function faultResponse(fault: Fault, version: string): FaultResponse {
  const { status, message } = faultText(fault);
  if (status === 304) return { status, contentType: "", body: "" };
  if (compareApiVersions(version, "1.24") < 0)
    return { status, contentType: "text/plain; charset=utf-8", body: `${message}\n` };
  return {
    status,
    contentType: "application/json",
    body: `${JSON.stringify({ message })}\n`,
  };
}
