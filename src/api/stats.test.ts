import { expect, test } from "bun:test";
import { testServer } from "./testing.ts";

async function withContainer() {
  const server = await testServer({ statsInterval: 10 });
  await server.call("POST", "/containers/create?name=a", { Image: "busybox:test", Cmd: ["sleep"] });
  return server;
}

test("a message has docker's names, and one that comes at once no moment before", async () => {
  await using server = await withContainer();
  await server.call("POST", "/containers/a/start");
  const { json } = await server.call("GET", "/containers/a/stats?stream=0&one-shot=1");
  expect(json).toEqual({
    name: "/a",
    id: expect.stringMatching(/^[0-9a-f]{64}$/),
    read: "2023-11-14T22:13:21.5Z",
    preread: "0001-01-01T00:00:00Z",
    pids_stats: { current: 1 },
    blkio_stats: {
      io_service_bytes_recursive: [{ major: 8, minor: 0, op: "read", value: 4096 }],
      io_serviced_recursive: [],
      io_queue_recursive: [],
      io_service_time_recursive: [],
      io_wait_time_recursive: [],
      io_merged_recursive: [],
      io_time_recursive: [],
      sectors_recursive: [],
    },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: {
      cpu_usage: {
        total_usage: 43275715,
        percpu_usage: [2655174, 40620541],
        usage_in_kernelmode: 10000000,
        usage_in_usermode: 20000000,
      },
      system_cpu_usage: 47819870000000,
      online_cpus: 2,
      throttling_data: { periods: 1, throttled_periods: 2, throttled_time: 3 },
    },
    precpu_stats: {
      cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
      throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
    },
    memory_stats: {
      usage: 954368,
      max_usage: 4882432,
      stats: { cache: 409600 },
      limit: 67108864,
    },
    networks: {
      eth0: {
        rx_bytes: 572,
        rx_packets: 6,
        rx_errors: 0,
        rx_dropped: 1,
        tx_bytes: 84,
        tx_packets: 2,
        tx_errors: 0,
        tx_dropped: 0,
      },
    },
  });
});

test("without a stream the use of the CPU is that of an interval", async () => {
  await using server = await withContainer();
  await server.call("POST", "/containers/a/start");
  const { json } = await server.call("GET", "/containers/a/stats?stream=0");
  expect(json).toMatchObject({
    preread: "2023-11-14T22:13:21.5Z",
    precpu_stats: { cpu_usage: { total_usage: 43275715 }, online_cpus: 2 },
  });
});

test("a container that does not run has zeros, at once", async () => {
  await using server = await withContainer();
  const { json } = await server.call("GET", "/containers/a/stats?stream=0");
  expect(json).toMatchObject({
    name: "/a",
    read: "0001-01-01T00:00:00Z",
    pids_stats: {},
    blkio_stats: { io_service_bytes_recursive: null },
    memory_stats: {},
  });
  expect(json).not.toHaveProperty("networks");
});

test("the stream has a message each interval until the client leaves", async () => {
  await using server = await withContainer();
  await server.call("POST", "/containers/a/start");
  const response = await fetch(`http://x/containers/a/stats`, { unix: server.socket });
  const messages: { preread: string }[] = [];
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    messages.push(...lines.map((line) => JSON.parse(line)));
    if (messages.length === 2) break;
  }
  expect(messages.map(({ preread }) => preread)).toEqual([
    "0001-01-01T00:00:00Z",
    "2023-11-14T22:13:21.5Z",
  ]);
});

test("an unknown container is not found", async () => {
  await using server = await testServer();
  expect(await server.call("GET", "/containers/no/stats")).toMatchObject({
    status: 404,
    json: { message: "No such container: no" },
  });
});

test("a list has health, restarts and memory of each container when it is asked for them", async () => {
  await using server = await withContainer();
  const list = async (query: string) =>
    (
      (await server.call("GET", `/containers/json?all=1${query}`)).json as readonly {
        readonly Usage?: object;
      }[]
    )[0]?.Usage;
  expect(await list("")).toBeUndefined();
  expect(await list("&usage=1")).toEqual({ Health: "", RestartCount: 0, Memory: null });
  await server.call("POST", "/containers/a/start");
  expect(await list("&usage=1")).toMatchObject({ Memory: expect.any(Number) });
});

test("what is known of a container beyond its state is told by its diagnosis", async () => {
  await using server = await withContainer();
  const { json } = await server.call("GET", "/thimble/v1/containers/a/diagnosis");
  expect(json).toEqual({
    ...{ ImageExists: true, StoppedByUser: false, Program: "sh", Path: "/bin/sh", Problems: [] },
  });
  const absent = await server.call("GET", "/thimble/v1/containers/none/diagnosis");
  expect(absent.status).toBe(404);
});
