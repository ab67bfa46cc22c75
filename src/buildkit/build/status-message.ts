import type { LineRange } from "#dockerfile";
import type { BuildEvent } from "#engine";
import type { StatusResponse } from "../protobuf/control-messages.ts";
import type { Input } from "../protobuf/message.ts";

/** A piece of a build's progress, as it is sent to clients. */
export type StatusDraft = Input<typeof StatusResponse>;

/** A Dockerfile as clients show lines of it. */
export interface ShownFile {
  readonly filename: string;
  readonly data: Uint8Array;
}

/** An event of a build in BuildKit's form; undefined for what clients have no place for. */
export function statusOfMessage(
  message: BuildEvent,
  file: ShownFile | undefined,
): StatusDraft | undefined {
  if (message.kind === "vertex") return { vertexes: [vertexOf(message)] };
  if (message.kind === "log") {
    const { vertex, stream, data, time } = message;
    return { logs: [{ vertex, stream: BigInt(stream), msg: data, timestamp: moment(time) }] };
  }
  if (message.kind === "status") {
    const { vertex, id, current, total = 0, started, completed } = message;
    return {
      statuses: [
        {
          ...{ vertex, id, name: id, timestamp: now() },
          ...{ current: BigInt(current), total: BigInt(total) },
          started: started === undefined ? undefined : moment(started),
          completed: completed === undefined ? undefined : moment(completed),
        },
      ],
    };
  }
  if (message.kind !== "warning") return undefined;
  const { vertex, short, detail, url, range } = message;
  return {
    warnings: [
      {
        ...{ vertex, level: 1n, url, short: Buffer.from(short) },
        detail: detail.map((line) => Buffer.from(line)),
        info: file && { ...file, language: "Dockerfile" },
        ranges: range ? [rangeOf(range)] : [],
      },
    ],
  };
}

function vertexOf(vertex: Extract<BuildEvent, { readonly kind: "vertex" }>) {
  const { digest, name, inputs, started, completed, cached = false, error = "" } = vertex;
  return {
    ...{ digest, name, inputs, cached, error },
    started: started === undefined ? undefined : moment(started),
    completed: completed === undefined ? undefined : moment(completed),
  };
}

function rangeOf({ start, end }: LineRange) {
  return { start: { line: start, character: 0 }, end: { line: end, character: 0 } };
}

const second = 1_000_000_000n;

/** Nanoseconds since 1970 as google.protobuf.Timestamp. */
function moment(time: bigint) {
  return { seconds: time / second, nanos: Number(time % second) };
}

/** The present. */
export function now() {
  return moment(BigInt(Date.now()) * 1_000_000n);
}
