import type { BuildMessage } from "#wire";
import type { Sink } from "../context.ts";
import type { BuildView } from "./plain-view.ts";

/** Progress as BuildKit's JSON: a `SolveStatus` a line. */
export class RawJsonView implements BuildView {
  readonly #sink: Sink;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async message(message: BuildMessage): Promise<void> {
    const status = solveStatus(message);
    if (status) await this.#sink.write(`${JSON.stringify(status)}\n`);
  }
}

function solveStatus(message: BuildMessage): Readonly<Record<string, unknown>> | undefined {
  if (message.kind === "vertex") {
    const { digest, inputs, name, started, completed, cached, error } = message;
    const vertex = {
      digest,
      ...(inputs.length === 0 ? {} : { inputs }),
      name,
      ...timesOf({ started, completed }),
      ...(cached ? { cached } : {}),
      ...(error === undefined ? {} : { error }),
    };
    return { vertexes: [vertex] };
  }
  if (message.kind === "status") {
    const { id, vertex, current, total, started, completed } = message;
    const amount = total === undefined ? { current } : { total, current };
    const timestamp = completed ?? started;
    const status = { id, vertex, ...amount, ...timesOf({ timestamp, started, completed }) };
    return { statuses: [status] };
  }
  if (message.kind === "log") {
    const { vertex, stream, data, time } = message;
    return { logs: [{ vertex, stream, data, ...timesOf({ timestamp: time }) }] };
  }
  if (message.kind === "warning") {
    const { vertex, short, detail, url } = message;
    const encoded = (text: string) => Buffer.from(text).toString("base64");
    const warning = { vertex, level: 1, short: encoded(short), detail: detail.map(encoded), url };
    return { warnings: [warning] };
  }
  return undefined;
}

/** Nanoseconds since 1970 as RFC 3339. */
function timesOf(times: Readonly<Record<string, string | undefined>>) {
  const given = Object.entries(times).filter(([, time]) => time !== undefined);
  return Object.fromEntries(given.map(([key, time = "0"]) => [key, timeText(BigInt(time))]));
}

function timeText(time: bigint): string {
  const second = new Date(Number(time / 1_000_000n)).toISOString().slice(0, 19);
  const fraction = String(time % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${second}${fraction === "" ? "" : `.${fraction}`}Z`;
}
