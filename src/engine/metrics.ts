import { Metrics } from "#base";
import type { EngineInfo } from "./contract.ts";

/** The actions that are timed, in Docker's words. */
const actions = ["changes", "commit", "create", "delete", "start"] as const;

/**
 * An engine's metrics, under the names and with the help of dockerd's --metrics-addr
 * (https://docs.docker.com/engine/daemon/prometheus/). Metrics of features that thimble lacks, such
 * as checks of health, are left out.
 */
export class EngineMetrics {
  readonly #engine = new Metrics("engine_daemon_");
  readonly #process = new Metrics("process_");
  /** What Docker does not count. */
  readonly #own = new Metrics("thimble_");
  readonly #actions = this.#engine.histogram(
    "container_actions_seconds",
    "The number of seconds it takes to process each container action",
  );
  readonly #states = this.#engine.gauge(
    "container_states_containers",
    "The count of containers in various states",
  );
  readonly #cpus = this.#engine.gauge(
    "engine_cpus_cpus",
    "The number of cpus that the host system of the engine has",
  );
  readonly #info = this.#engine.gauge(
    "engine_info",
    "The information related to the engine and the OS it is running on",
  );
  readonly #memory = this.#engine.gauge(
    "engine_memory_bytes",
    "The number of bytes of memory that the host system of the engine has",
  );
  readonly #subscribers = this.#engine.gauge(
    "events_subscribers_total",
    "The number of current subscribers to events",
  );
  /** Counted by the code that publishes them. */
  readonly events = this.#engine.counter("events_total", "The number of events logged");
  /** Counted by the code that ships logs. */
  readonly logLines = this.#own.counter(
    "container_log_lines_total",
    "The number of lines of logs with a receiver, by driver, that were shipped or dropped",
  );
  readonly #cpuSeconds = this.#process.counter(
    "cpu_seconds_total",
    "Total user and system CPU time spent in seconds.",
  );
  readonly #resident = this.#process.gauge(
    "resident_memory_bytes",
    "Resident memory size in bytes.",
  );
  readonly #started = this.#process.gauge(
    "start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
  );

  constructor() {
    for (const action of actions) this.#actions.declare({ action });
    this.events.add(0);
  }

  /** Times an action of a container; one that fails does not count, as in Docker. */
  async timed<T>(action: (typeof actions)[number], work: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    const result = await work();
    this.#actions.observe((performance.now() - begun) / 1000, { action });
    return result;
  }

  /** Prometheus' text format, with the state of now. */
  render(now: {
    readonly info: EngineInfo;
    readonly version: string;
    readonly subscribers: number;
  }): string {
    const { info, version, subscribers } = now;
    for (const [state, count] of Object.entries(info.containers))
      this.#states.set(count, { state });
    this.#cpus.set(info.cpus);
    this.#memory.set(info.memory);
    this.#info.set(1, {
      architecture: info.architecture,
      commit: "",
      daemon_id: info.id,
      graphdriver: info.storageDriver,
      kernel: info.kernelVersion,
      os: info.operatingSystem,
      os_type: "linux",
      os_version: info.osVersion,
      version,
    });
    this.#subscribers.set(subscribers);
    const { user, system } = process.cpuUsage();
    this.#cpuSeconds.set((user + system) / 1e6);
    this.#resident.set(process.memoryUsage.rss());
    this.#started.set(performance.timeOrigin / 1000);
    return this.#engine.render() + this.#process.render() + this.#own.render();
  }
}
