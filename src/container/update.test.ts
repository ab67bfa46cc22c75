import { expect, test } from "bun:test";
import { checkSent, type Sent } from "./description.ts";
import type { HostConfigBody } from "./host-options.ts";
import { type ContainerUpdateBody, containerUpdateSchema, updated } from "./update.ts";

const machine = { cpus: 4 };
const MiB = 1 << 20;

function change(host: HostConfigBody, body: ContainerUpdateBody) {
  const sent: Sent = { Config: { Image: "i", Cmd: ["x"] }, HostConfig: host };
  return updated({ sent, host: checkSent(sent, machine).host }, body, machine);
}

test("what is given is changed and the rest stays, also what memory and swap were together", () => {
  const { sent, resources } = change(
    { Memory: 64 * MiB, PidsLimit: 50, Privileged: true },
    { Memory: 32 * MiB, CpuShares: 0, CpusetCpus: "", RestartPolicy: { Name: "" } },
  );
  expect(sent.HostConfig).toEqual({
    Memory: 32 * MiB,
    MemorySwap: 128 * MiB,
    PidsLimit: 50,
    Privileged: true,
  });
  expect(resources).toEqual({
    memory: { limit: 32 * MiB, swap: 128 * MiB },
    cpu: {},
    pids: { limit: 50 },
  });
});

test("a health check's fields change one by one", () => {
  const sent: Sent = {
    Config: { Image: "i", Cmd: ["x"], Healthcheck: { Test: ["CMD", "a"], Retries: 2 } },
    HostConfig: {},
  };
  const body = { Healthcheck: { Test: ["TCP", "80"], Interval: 1e9 } };
  const after = updated({ sent, host: checkSent(sent, machine).host }, body, machine);
  expect(after.sent.Config.Healthcheck).toEqual({ Test: ["TCP", "80"], Interval: 1e9, Retries: 2 });
  expect(() =>
    updated(
      { sent, host: checkSent(sent, machine).host },
      { Healthcheck: { Retries: -1 } },
      machine,
    ),
  ).toThrow("Retries in Healthcheck cannot be negative");
});

test("the end of a limit is told to the kernel", () => {
  const { resources } = change({ PidsLimit: 50 }, { PidsLimit: -1, CpuQuota: -1 });
  expect(resources).toEqual({ memory: {}, cpu: { quota: -1 }, pids: { limit: -1 } });
});

test.each([
  [{ NanoCpus: 1e9 }, { CpuPeriod: 10_000 }, "CPU Period cannot be updated as NanoCPUs"],
  [{ NanoCpus: 1e9 }, { CpuQuota: 10_000 }, "CPU Quota cannot be updated as NanoCPUs"],
  [{ CpuPeriod: 10_000 }, { NanoCpus: 1e9 }, "Nano CPUs cannot be updated as CPU Period"],
  [{ CpuQuota: 10_000 }, { NanoCpus: 1e9 }, "Nano CPUs cannot be updated as CPU Quota"],
  [{ Memory: 8 * MiB }, { Memory: 17 * MiB }, "update the memoryswap at the same time"],
  [
    { AutoRemove: true },
    { RestartPolicy: { Name: "always" } },
    "Restart policy cannot be updated because AutoRemove is enabled",
  ],
  [{}, { Memory: 1 }, "Minimum memory limit allowed is 6MB"],
  [{}, { RestartPolicy: { Name: "no", MaximumRetryCount: 2 } }, "can only be used with"],
  [{}, { BlkioWeight: 10, Devices: [{}] }, "these cannot be changed: BlkioWeight, Devices"],
] as const)("%j and then %j is refused", (host, body, why) => {
  expect(() => change(host, body as ContainerUpdateBody)).toThrow(why);
});

test("the empty fields that clients send change nothing", () => {
  const body = containerUpdateSchema.parse({
    BlkioWeight: 0,
    BlkioWeightDevice: null,
    CgroupParent: "",
    Devices: [],
    OomKillDisable: false,
    Memory: 0,
    PidsLimit: null,
    RestartPolicy: { Name: "", MaximumRetryCount: 0 },
  });
  expect(change({ CpuShares: 5 }, body).sent.HostConfig).toEqual({ CpuShares: 5 });
});
