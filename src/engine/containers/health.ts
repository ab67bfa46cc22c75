import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { type ContainerId, type ExecId, endOf, Fault, faultOf, type Log } from "#base";
import { type NetworkCheck, type Probe, probeOf } from "#container";
import type { Execs, Health, HealthResult } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { publishContainer } from "./container-event.ts";
import type { ContainerRecord } from "./container-record.ts";
import { probeNetwork } from "./network-probe.ts";

/** Results that are kept, and bytes of the output of each, as in Docker. */
const keptResults = 5;
const keptOutput = 4096;

type HealthParts = Parts<"store" | "events" | "execs" | "clock" | "live"> & { readonly log: Log };

/**
 * Whether containers are well: while one with a health check runs, it is probed again and again, by
 * an exec or over its network. What was found is kept until the next start, in memory alone: to a new engine a
 * container that runs on is "starting".
 */
export class HealthChecks {
  readonly #parts: HealthParts;
  readonly #execs: Execs;
  readonly #known = new Map<ContainerId, Health>();

  constructor(parts: HealthParts, execs: Execs) {
    this.#parts = parts;
    this.#execs = execs;
  }

  /** Undefined for a container that has no check or never ran. */
  of(id: ContainerId): Health | undefined {
    return this.#known.get(id);
  }

  forget(id: ContainerId): void {
    this.#known.delete(id);
  }

  /**
   * Probes a container that runs until it is aborted; settles at once for one without a check.
   * `onUnhealthy` is called after each probe that finds it so.
   */
  async follow(
    { id, config }: ContainerRecord,
    signal: AbortSignal,
    onUnhealthy: () => void,
  ): Promise<void> {
    const probe = probeOf(config.Healthcheck, config.Shell);
    if (!probe) return;
    const startedAt = performance.now();
    this.#known.set(id, { status: "starting", failingStreak: 0, log: [] });
    for (;;) {
      const isStarting = performance.now() - startedAt < probe.startPeriod;
      const isNew = this.of(id)?.status === "starting";
      const pause = isStarting && isNew ? probe.startInterval : probe.interval;
      if (!(await passed(pause, signal))) return;
      if (this.#parts.store.get(id)?.state.status !== "running") continue;
      const isEarly = performance.now() - startedAt < probe.startPeriod;
      const result = await this.#run(id, probe, signal);
      if (signal.aborted) return;
      this.#take(id, { probe, isEarly, result });
      if (this.of(id)?.status === "unhealthy") onUnhealthy();
    }
  }

  async #run(id: ContainerId, probe: Probe, signal: AbortSignal): Promise<HealthResult> {
    const { clock } = this.#parts;
    const start = clock.now();
    const { test, timeout } = probe;
    const ask =
      test.kind === "program"
        ? this.#runProgram(id, { argv: test.argv, timeout }, signal)
        : this.#askNetwork(id, { check: test, timeout }, signal);
    const outcome = await ask.catch((error: unknown) => ({
      exitCode: -1,
      output: faultOf(error).message,
    }));
    return { start, end: clock.now(), ...outcome };
  }

  async #askNetwork(
    id: ContainerId,
    { check, timeout }: { readonly check: NetworkCheck; readonly timeout: number },
    signal: AbortSignal,
  ): Promise<Outcome> {
    const task = this.#parts.live.get(id)?.task;
    if (!task) throw new Fault("conflict", "the container has ended", { about: id });
    using netns = task.openNamespace("network");
    const limit = AbortSignal.timeout(timeout);
    try {
      return await probeNetwork(netns, check, AbortSignal.any([signal, limit]));
    } catch (error) {
      if (!limit.aborted) throw error;
      return tooLong(timeout);
    }
  }

  async #runProgram(
    id: ContainerId,
    { argv, timeout }: { readonly argv: readonly string[]; readonly timeout: number },
    signal: AbortSignal,
  ): Promise<Outcome> {
    const exec = await this.#execs.create(id, { ...plainExec, argv });
    const streams = await this.#execs.start(exec, { detach: false });
    if (!streams) return { exitCode: -1, output: "" };
    await using _attached = streams;
    const printed = firstBytes(streams.output);
    let isCut = false;
    // A child that it left may hold its output, which is let go as well.
    const cut = () => {
      isCut = true;
      void this.#kill(exec);
      streams.output.destroy();
    };
    const timer = setTimeout(cut, timeout);
    signal.addEventListener("abort", cut, { once: true });
    if (signal.aborted) cut();
    await endOf(streams.output);
    clearTimeout(timer);
    signal.removeEventListener("abort", cut);
    const output = printed();
    if (isCut) return tooLong(timeout, output);
    return { exitCode: this.#execs.get(exec).exitCode ?? -1, output };
  }

  async #kill(exec: ExecId): Promise<void> {
    try {
      await this.#parts.execs.get(exec)?.process?.kill(9);
    } catch (error) {
      this.#parts.log.debug("a probe had ended", { error: faultOf(error).message });
    }
  }

  #take(
    id: ContainerId,
    {
      probe,
      isEarly,
      result,
    }: { readonly probe: Probe; readonly isEarly: boolean; readonly result: HealthResult },
  ): void {
    const before = this.#known.get(id);
    const record = this.#parts.store.get(id);
    if (!before || !record) return;
    const isForgiven = isEarly && before.status === "starting";
    const failingStreak = result.exitCode === 0 ? 0 : before.failingStreak + (isForgiven ? 0 : 1);
    const status =
      result.exitCode === 0
        ? "healthy"
        : failingStreak >= probe.retries
          ? "unhealthy"
          : before.status;
    const log = [...before.log, result].slice(-keptResults);
    this.#known.set(id, { status, failingStreak, log });
    if (status !== before.status) publishContainer(this.#parts, record, `health_status: ${status}`);
  }
}

type Outcome = Pick<HealthResult, "exitCode" | "output">;

function tooLong(timeout: number, output = ""): Outcome {
  const why = `Health check exceeded timeout (${span(timeout)})`;
  return { exitCode: -1, output: output === "" ? why : `${why}: ${output}` };
}

const plainExec = {
  env: [],
  workingDir: "",
  user: "",
  privileged: false,
  tty: false,
  attachStdin: false,
  attachStdout: true,
  attachStderr: true,
} as const;

/** Whether the time has passed; false when it was aborted before. */
async function passed(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(Math.min(milliseconds, 2 ** 31 - 1), undefined, { signal, ref: false });
    return true;
  } catch {
    return false;
  }
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
