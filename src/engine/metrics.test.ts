import { expect, test } from "bun:test";
import { rejection } from "../base/testing.ts";
import type { EngineInfo } from "./contract.ts";
import { EngineMetrics } from "./metrics.ts";
import { defaultSettings } from "./settings.ts";

const info: EngineInfo = {
  id: "an-id",
  name: "host",
  dataRoot: "/data",
  containers: { running: 2, paused: 0, stopped: 1 },
  images: 1,
  kernelVersion: "6.1",
  operatingSystem: "Debian GNU/Linux 12 (bookworm)",
  osVersion: "12",
  architecture: "x86_64",
  cpus: 4,
  memory: 1 << 30,
  cgroupVersion: 2,
  storageDriver: "overlay",
  loggingDriver: "json-file",
  securityOptions: [],
  warnings: [],
  settings: defaultSettings,
};

const shown = (metrics: EngineMetrics) =>
  metrics.render({ info, version: "1.2.3", subscribers: 5 }).split("\n");

/** As dockerd 28.5.2 answers at its --metrics-addr; the rest of its families is about what thimble does not have. */
const docker = [
  "# HELP engine_daemon_container_actions_seconds The number of seconds it takes to process each container action",
  "# TYPE engine_daemon_container_actions_seconds histogram",
  "# HELP engine_daemon_container_states_containers The count of containers in various states",
  "# TYPE engine_daemon_container_states_containers gauge",
  "# HELP engine_daemon_engine_cpus_cpus The number of cpus that the host system of the engine has",
  "# TYPE engine_daemon_engine_cpus_cpus gauge",
  "# HELP engine_daemon_engine_info The information related to the engine and the OS it is running on",
  "# TYPE engine_daemon_engine_info gauge",
  "# HELP engine_daemon_engine_memory_bytes The number of bytes of memory that the host system of the engine has",
  "# TYPE engine_daemon_engine_memory_bytes gauge",
  "# HELP engine_daemon_events_subscribers_total The number of current subscribers to events",
  "# TYPE engine_daemon_events_subscribers_total gauge",
  "# HELP engine_daemon_events_total The number of events logged",
  "# TYPE engine_daemon_events_total counter",
  "# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.",
  "# TYPE process_cpu_seconds_total counter",
  "# HELP process_resident_memory_bytes Resident memory size in bytes.",
  "# TYPE process_resident_memory_bytes gauge",
  "# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.",
  "# TYPE process_start_time_seconds gauge",
];

test("the families are Docker's, with its types and words, and ours", () => {
  const families = shown(new EngineMetrics()).filter((line) => line.startsWith("#"));
  expect(families.filter((line) => !line.includes(" thimble_"))).toEqual(docker);
  expect(families).toContain("# TYPE thimble_container_log_lines_total counter");
});

test("lines of logs are counted by driver and by what became of them", () => {
  const metrics = new EngineMetrics();
  metrics.logLines.add(3, { driver: "gelf", result: "dropped" });
  expect(shown(metrics)).toContain(
    'thimble_container_log_lines_total{driver="gelf",result="dropped"} 3',
  );
});

test("the state of now is shown, and every action before it happens", () => {
  const metrics = new EngineMetrics();
  metrics.events.add(1);
  const lines = shown(metrics);
  for (const line of [
    'engine_daemon_container_states_containers{state="running"} 2',
    'engine_daemon_container_states_containers{state="paused"} 0',
    'engine_daemon_container_states_containers{state="stopped"} 1',
    "engine_daemon_engine_cpus_cpus 4",
    "engine_daemon_engine_memory_bytes 1073741824",
    'engine_daemon_engine_info{architecture="x86_64",commit="",daemon_id="an-id",graphdriver="overlay",kernel="6.1",os="Debian GNU/Linux 12 (bookworm)",os_type="linux",os_version="12",version="1.2.3"} 1',
    "engine_daemon_events_total 1",
    "engine_daemon_events_subscribers_total 5",
    ...["changes", "commit", "create", "delete", "start"].map(
      (action) => `engine_daemon_container_actions_seconds_count{action="${action}"} 0`,
    ),
  ])
    expect(lines).toContain(line);
});

test("an action is timed when it succeeds", async () => {
  const metrics = new EngineMetrics();
  expect(await metrics.timed("start", async () => "value")).toBe("value");
  const failure = new Error("no");
  expect(await rejection(metrics.timed("start", () => Promise.reject(failure)))).toBe(failure);
  const lines = shown(metrics);
  expect(lines).toContain('engine_daemon_container_actions_seconds_count{action="start"} 1');
  expect(lines).toContain(
    'engine_daemon_container_actions_seconds_bucket{action="start",le="+Inf"} 1',
  );
});
