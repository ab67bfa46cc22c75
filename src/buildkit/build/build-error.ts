import { faultOf, isFault } from "#base";
import { DockerfileFault, type LineRange } from "#dockerfile";
import { StepFault } from "#engine";
import { StatusError } from "../grpc/status.ts";
import { Status } from "../protobuf/solver-messages.ts";
import type { ShownFile } from "./status-message.ts";
import { type OfferedStep, stepDetail } from "./step-error.ts";

/** gRPC's "unknown", of which clients show the message alone. */
const unknown = 2;
const canceled = 1;

/** What is known of a build that failed. */
interface FailedJob {
  readonly file: ShownFile | undefined;
  readonly failed: OfferedStep | undefined;
}

/**
 * Why a build failed, as BuildKit tells it: the lines of the Dockerfile go with the message
 * (solver/errdefs of moby/buildkit), so that clients show them.
 */
export function buildError(error: unknown, { file, failed }: FailedJob): StatusError {
  if (error instanceof StatusError) return error;
  const { message } = faultOf(error);
  const code = isFault(error, "canceled") ? canceled : unknown;
  const ranges = rangesOf(error);
  const details = [
    ...(file && ranges.length > 0 ? [detail("Source", sourceOf(file, ranges))] : []),
    ...(failed && failed.fault === error ? [detail("Solve", stepDetail(failed))] : []),
  ];
  if (details.length === 0) return new StatusError({ code, message });
  return new StatusError({ code, message, details: Status.encode({ code, message, details }) });
}

function detail(name: string, value: unknown) {
  const typeUrl = `github.com/moby/buildkit/errdefs.${name}+json`;
  return { typeUrl, value: Buffer.from(JSON.stringify(value)) };
}

function rangesOf(error: unknown): readonly LineRange[] {
  if (error instanceof DockerfileFault) return error.ranges;
  return error instanceof StepFault ? error.failure.ranges : [];
}

function sourceOf({ filename, data }: ShownFile, ranges: readonly LineRange[]) {
  return {
    info: { filename, data: Buffer.from(data).toString("base64"), language: "Dockerfile" },
    ranges: ranges.map(({ start, end }) => ({ start: { line: start }, end: { line: end } })),
  };
}
