import type { Readable } from "node:stream";
import { type ContainerId, type ExecId, endOf, faultOf, type Log } from "#base";
import type { ExecRequest, Execs, HealthResult } from "../contract.ts";
import type { Parts } from "../parts.ts";

/** How a probe ended: an exit code, -1 for one that has none, and the beginning of its output. */
export type ProbeOutcome = Pick<HealthResult, "exitCode" | "output">;

/** Bytes of the output that are kept, as in Docker. */
const keptOutput = 4096;

interface ProgramProbe {
  /** The same for all probes of a check. */
  readonly request: ExecRequest;
  /** Milliseconds. */
  readonly timeout: number;
}

/** Runs a program in the container, which is killed when it takes too long or the signal is aborted. */
export async function probeProgram(
  parts: Parts<"execs"> & { readonly log: Log; readonly verbs: Execs },
  id: ContainerId,
  { request, timeout, signal }: ProgramProbe & { readonly signal: AbortSignal },
): Promise<ProbeOutcome> {
  const exec = await parts.verbs.create(id, request);
  const streams = await parts.verbs.start(exec, { detach: false });
  if (!streams) return { exitCode: -1, output: "" };
  await using _attached = streams;
  const printed = firstBytes(streams.output);
  let isCut = false;
  // A child that it left may hold its output, which is let go as well.
  const cut = () => {
    isCut = true;
    void kill(parts, exec);
    streams.output.destroy();
  };
  const timer = setTimeout(cut, timeout);
  signal.addEventListener("abort", cut, { once: true });
  if (signal.aborted) cut();
  await endOf(streams.output);
  clearTimeout(timer);
  signal.removeEventListener("abort", cut);
  const output = printed();
  if (isCut) return tookTooLong(timeout, output);
  return { exitCode: parts.verbs.get(exec).exitCode ?? -1, output };
}

async function kill(parts: Parts<"execs"> & { readonly log: Log }, exec: ExecId): Promise<void> {
  try {
    await parts.execs.get(exec)?.process?.kill(9);
  } catch (error) {
    parts.log.debug("a probe had ended", { error: faultOf(error).message });
  }
}

/** In Docker's words. */
export function tookTooLong(timeout: number, output = ""): ProbeOutcome {
  const why = `Health check exceeded timeout (${span(timeout)})`;
  return { exitCode: -1, output: output === "" ? why : `${why}: ${output}` };
}

/** The exec of a probe. */
export function programRequest(argv: readonly string[]): ExecRequest {
  return {
    argv,
    env: [],
    workingDir: "",
    user: "",
    privileged: false,
    tty: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
  };
}

/** Reads a stream to its end; the function gives the beginning of what came until now, without the headers of its frames. */
function firstBytes(source: Readable): () => string {
  let output = "";
  let rest = Buffer.alloc(0);
  source.on("data", (chunk: Buffer) => {
    if (output.length >= keptOutput) return;
    rest = Buffer.concat([rest, chunk]);
    while (rest.byteLength >= 8) {
      const end = 8 + rest.readUInt32BE(4);
      if (rest.byteLength < end) break;
      output += rest.toString("utf8", 8, end);
      rest = rest.subarray(end);
    }
  });
  return () => output.slice(0, keptOutput);
}

/** As Go writes a span: "30s", "1.5s", "200ms". */
function span(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds}ms` : `${milliseconds / 1000}s`;
}
