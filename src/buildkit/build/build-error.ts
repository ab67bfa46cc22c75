import { faultOf, isFault } from "#base";
import { DockerfileFault, type LineRange } from "#dockerfile";
import { StepFault } from "#engine";
import { StatusError } from "../grpc/status.ts";
import { Status } from "../protobuf/solver-messages.ts";
import type { ShownFile } from "./status-message.ts";

/** gRPC's "unknown", of which clients show the message alone. */
const unknown = 2;
const canceled = 1;

/**
 * Why a build failed, as BuildKit tells it: the lines of the Dockerfile go with the message
 * (solver/errdefs of moby/buildkit), so that clients show them.
 */
export function buildError(error: unknown, file: ShownFile | undefined): StatusError {
  if (error instanceof StatusError) return error;
  const { message } = faultOf(error);
  const code = isFault(error, "canceled") ? canceled : unknown;
  const ranges = rangesOf(error);
  if (!file || ranges.length === 0) return new StatusError({ code, message });
  const details = [
    {
      typeUrl: "github.com/moby/buildkit/errdefs.Source+json",
      value: Buffer.from(JSON.stringify(sourceOf(file, ranges))),
    },
  ];
  return new StatusError({ code, message, details: Status.encode({ code, message, details }) });
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
