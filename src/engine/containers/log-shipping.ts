import { setTimeout as delay } from "node:timers/promises";
import { type ContainerId, defined, type Fault, faultOf, type Log } from "#base";
import { logLimits, logSubject, logTargetOf } from "#container";
import { type LogShipment, LogShipper, type ShippingState, shippingState } from "#logs";
import type { Background } from "../background.ts";
import type { EngineMetrics } from "../metrics.ts";
import type { EnginePaths } from "../paths.ts";
import type { ContainerRecord } from "./container-record.ts";

/** Milliseconds that a container that was removed still ships what is left of its log. */
const farewell = 10_000;

interface Running {
  readonly shipper: LogShipper;
  /** Settles when the receiver fails. */
  failing: PromiseWithResolvers<void>;
}

type Target = LogShipment["target"];

/**
 * Ships the logs of containers whose driver has a receiver. The monitor writes the log's files and knows
 * nothing of receivers, so that one that is down or slow holds no container up; what it has not taken waits in
 * those files, also while no engine runs.
 */
export class LogShipping {
  readonly #running = new Map<ContainerId, Running>();
  /** Of logs that no shipper works on. */
  readonly #states = new Map<ContainerId, ShippingState>();
  readonly #paths: EnginePaths;
  readonly #background: Background;
  readonly #metrics: EngineMetrics;
  readonly #log: Log;

  constructor(parts: {
    readonly paths: EnginePaths;
    readonly background: Background;
    readonly metrics: EngineMetrics;
    readonly log: Log;
  }) {
    this.#paths = parts.paths;
    this.#background = parts.background;
    this.#metrics = parts.metrics;
    this.#log = parts.log;
  }

  /** Ships the log of a container that runs until `ended`, or what is left of one that does not run. */
  follow(record: ContainerRecord, ended: Promise<unknown> = Promise.resolve()): void {
    const { id } = record;
    const target = logTargetOf(record.host.LogConfig);
    if (!target || this.#running.get(id)?.shipper.goOn(ended)) return;
    const earlier = this.#running.get(id)?.shipper.done;
    const failing = Promise.withResolvers<void>();
    const shipper = new LogShipper(this.#shipmentOf(record, target, failing), ended);
    const running: Running = { shipper, failing };
    this.#running.set(id, running);
    void this.#background.run(`shipping the log of container ${id}`, async () => {
      await earlier;
      try {
        await shipper.run();
      } finally {
        if (this.#running.get(id) === running) {
          this.#running.delete(id);
          this.#states.set(id, shipper.state);
        }
      }
    });
  }

  /** As `follow`, for a log whose options have changed: what works with the old ones stops. */
  anew(record: ContainerRecord, ended: Promise<unknown> | undefined): void {
    const { id } = record;
    const running = this.#running.get(id);
    running?.shipper.stop();
    this.#states.delete(id);
    if (running || ended) this.follow(record, ended);
  }

  /** Undefined for a log that is not shipped. */
  stateOf({ id, host }: ContainerRecord): ShippingState | undefined {
    const running = this.#running.get(id);
    if (running) return running.shipper.state;
    const known = this.#states.get(id);
    if (known) return known;
    const target = logTargetOf(host.LogConfig);
    const state = target && shippingState(target, this.#paths.shipMark(id));
    if (state) this.#states.set(id, state);
    return state;
  }

  /**
   * For a container that is removed, and has ended. When it settles the files may go; what was not shipped yet is
   * shipped in the background, unless the receiver is down.
   */
  async release(id: ContainerId): Promise<void> {
    const running = this.#running.get(id);
    if (running) {
      const { shipper, failing } = running;
      await shipper.allSeen();
      const late = new AbortController();
      const time = delay(farewell, undefined, { signal: late.signal, ref: false });
      void Promise.race([shipper.done, failing.promise, time]).finally(() => {
        late.abort();
        shipper.stop();
      });
      time.catch(() => undefined);
    }
    this.#running.delete(id);
    this.#states.delete(id);
  }

  close(): void {
    for (const { shipper } of this.#running.values()) shipper.stop();
  }

  #shipmentOf(
    record: ContainerRecord,
    target: Target,
    failing: PromiseWithResolvers<void>,
  ): LogShipment {
    const { id, name, host } = record;
    const path = this.#paths.log(id);
    const { driver } = target;
    const warn = (text: string, error?: unknown) =>
      this.#log.warn(text, { id, driver, ...defined({ error: error && faultOf(error).message }) });
    return {
      path,
      maxFiles: logLimits(host.LogConfig).maxFiles,
      target,
      subject: logSubject(path, host.LogConfig, record),
      mark: this.#paths.shipMark(id),
      report: {
        receiver: (failure: Fault | undefined) => {
          if (failure) failing.resolve();
          else this.#log.info("the receiver of a log takes lines", { id, name, driver });
          if (failure)
            warn("the receiver of a log takes nothing; lines wait in its files", failure);
        },
        shipped: (lines) => this.#metrics.logLines.add(lines, { driver, result: "shipped" }),
        dropped: (lines) => {
          this.#metrics.logLines.add(lines, { driver, result: "dropped" });
          warn(`${lines} lines of a log were rotated away before they could be shipped`);
        },
        lostPlace: () =>
          warn(
            "a log was rotated while no engine shipped it; lines may be lost that no one counted",
          ),
        unmarked: (error) => warn("how far a log was shipped cannot be written down", error),
      },
    };
  }
}
