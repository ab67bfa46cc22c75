import { setTimeout as delay } from "node:timers/promises";
import { type ContainerId, Fault, faultOf, type Log } from "#base";
import { type NetworkCheck, type Probe, probeOf } from "#container";
import type { Execs, Health, HealthResult } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { publishContainer } from "./container-event.ts";
import { probeNetwork } from "./network-probe.ts";
import { type ProbeOutcome, probeProgram, programRequest, tookTooLong } from "./program-probe.ts";

/** As in Docker. */
const keptResults = 5;

type HealthParts = Parts<"store" | "events" | "execs" | "clock" | "live" | "background"> & {
  readonly log: Log;
};

/** One probe. */
type Ask = () => Promise<ProbeOutcome>;

/** A container that runs, until it is aborted. */
interface Followed {
  readonly ended: AbortController;
  readonly onUnhealthy: () => void;
}

/**
 * Whether containers are well: while one with a health check runs, it is probed again and again, by
 * an exec or over its network. What was found is kept until the next start, in memory alone: to a new engine a
 * container that runs on is "starting".
 */
export class HealthChecks {
  readonly #parts: HealthParts;
  readonly #execs: Execs;
  readonly #known = new Map<ContainerId, Health>();
  readonly #followed = new Map<ContainerId, Followed>();

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
   * Probes a container that has a check from its start to `end`. `onUnhealthy` is called after each
   * probe that finds it so.
   */
  follow(id: ContainerId, onUnhealthy: () => void): void {
    const ended = new AbortController();
    this.#followed.set(id, { ended, onUnhealthy });
    this.#known.delete(id);
    const config = this.#parts.store.get(id)?.config;
    const probe = config && probeOf(config.Healthcheck, config.Shell);
    // Nobody waits for a probe that is under way, but the end of the engine.
    if (probe)
      void this.#parts.background.run(`probing container ${id}`, () =>
        this.#repeat(id, probe, { signal: ended.signal, onUnhealthy }),
      );
  }

  /** Its check has changed: what the old one found counts no more. */
  again(id: ContainerId): void {
    const followed = this.#followed.get(id);
    this.end(id);
    this.#known.delete(id);
    if (followed) this.follow(id, followed.onUnhealthy);
  }

  end(id: ContainerId): void {
    this.#followed.get(id)?.ended.abort();
    this.#followed.delete(id);
  }

  async #repeat(
    id: ContainerId,
    probe: Probe,
    { signal, onUnhealthy }: { readonly signal: AbortSignal; readonly onUnhealthy: () => void },
  ): Promise<void> {
    const startedAt = performance.now();
    const ask = this.#prepare(id, probe, signal);
    this.#known.set(id, { status: "starting", failingStreak: 0, log: [] });
    for (;;) {
      const isStarting = performance.now() - startedAt < probe.startPeriod;
      const isNew = this.of(id)?.status === "starting";
      const pause = isStarting && isNew ? probe.startInterval : probe.interval;
      if (!(await passed(pause, signal))) return;
      if (this.#parts.store.get(id)?.state.status !== "running") continue;
      const isEarly = performance.now() - startedAt < probe.startPeriod;
      const result = await this.#run(ask);
      if (signal.aborted) return;
      this.#take(id, { probe, isEarly, result });
      if (this.of(id)?.status === "unhealthy") onUnhealthy();
    }
  }

  /** What is the same for each probe is made once. */
  #prepare(id: ContainerId, { test, timeout }: Probe, signal: AbortSignal): Ask {
    if (test.kind !== "program")
      return () => this.#askNetwork(id, { check: test, timeout }, signal);
    const parts = { ...this.#parts, verbs: this.#execs };
    const program = { request: programRequest(test.argv), timeout, signal };
    return () => probeProgram(parts, id, program);
  }

  async #run(ask: Ask): Promise<HealthResult> {
    const { clock } = this.#parts;
    const start = clock.now();
    const outcome = await ask().catch((error: unknown) => ({
      exitCode: -1,
      output: faultOf(error).message,
    }));
    return { start, end: clock.now(), ...outcome };
  }

  async #askNetwork(
    id: ContainerId,
    { check, timeout }: { readonly check: NetworkCheck; readonly timeout: number },
    signal: AbortSignal,
  ): Promise<ProbeOutcome> {
    const task = this.#parts.live.get(id)?.task;
    if (!task) throw new Fault("conflict", "the container has ended", { about: id });
    using netns = task.openNamespace("network");
    const limit = AbortSignal.timeout(timeout);
    try {
      return await probeNetwork(netns, check, AbortSignal.any([signal, limit]));
    } catch (error) {
      if (!limit.aborted) throw error;
      return tookTooLong(timeout);
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

/** Whether the time has passed; false when it was aborted before. */
async function passed(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(Math.min(milliseconds, 2 ** 31 - 1), undefined, { signal, ref: false });
    return true;
  } catch {
    return false;
  }
}
