import { expect, test } from "bun:test";
import { statsV1, statsV2 } from "./stats.ts";

const from = (files: Readonly<Record<string, string>>) => (_: string, file: string) => files[file];

test("v1", () => {
  const stats = statsV1(
    from({
      "memory.usage_in_bytes": "4096\n",
      "memory.limit_in_bytes": "9223372036854771712\n",
      "memory.stat": "cache 1\nrss 2\n",
      "cpuacct.usage": "12345\n",
      "cpuacct.usage_percpu": "12000 345 \n",
      "blkio.throttle.io_service_bytes_recursive":
        "8:0 Read 4096\n8:0 Write 0\n8:0 Discard 1\n8:0 Total 4097\nTotal 4097\n",
      "blkio.throttle.io_serviced_recursive": "253:1 Read 2\nTotal 2\n",
      "cpuacct.stat": "user 3\nsystem 4\n",
      "cpu.stat": "nr_periods 5\nnr_throttled 6\nthrottled_time 7\n",
      "pids.current": "8\n",
      "pids.max": "max\n",
    }),
  );
  expect(stats).toEqual({
    memory: { usage: 4096, stats: { cache: 1, rss: 2 } },
    cpu: {
      total: 12345,
      perCpu: [12000, 345],
      user: 30_000_000,
      system: 40_000_000,
      throttled: { periods: 5, throttled: 6, time: 7 },
    },
    pids: { current: 8 },
    io: {
      bytes: [
        { major: 8, minor: 0, op: "read", value: 4096 },
        { major: 8, minor: 0, op: "write", value: 0 },
        { major: 8, minor: 0, op: "discard", value: 1 },
        { major: 8, minor: 0, op: "total", value: 4097 },
      ],
      operations: [{ major: 253, minor: 1, op: "read", value: 2 }],
    },
  });
});

test("v2 counts microseconds", () => {
  const stats = statsV2(
    from({
      "memory.current": "4096\n",
      "memory.max": "8192\n",
      "memory.peak": "5000\n",
      "cpu.stat": "usage_usec 10\nuser_usec 6\nsystem_usec 4\n",
      "pids.current": "2\n",
      "pids.max": "50\n",
      "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n7:0 \n",
    }),
  );
  expect(stats.io).toEqual({
    bytes: [
      { major: 8, minor: 0, op: "read", value: 1 },
      { major: 8, minor: 0, op: "write", value: 2 },
    ],
  });
  expect(stats.memory).toEqual({ usage: 4096, limit: 8192, maxUsage: 5000, stats: {} });
  expect(stats.cpu).toMatchObject({ total: 10_000, user: 6000, system: 4000 });
  expect(stats.pids).toEqual({ current: 2, limit: 50 });
});
