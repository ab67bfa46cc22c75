import { expect, test } from "bun:test";
import { testServer } from "./testing.ts";

test("a container's network goes wrong by a body, and right again", async () => {
  await using server = await testServer();
  await server.call("POST", "/containers/create?name=web", { Image: "busybox:test" });
  const path = "/thimble/v1/containers/web/network-fault";
  const fault = { LossPercent: 0.5, DelayMs: 100, Partition: ["db"] };
  expect((await server.call("POST", path, fault)).status).toBe(204);
  expect((await server.call("DELETE", path)).status).toBe(204);
  const calls = server.engine.calls.filter((call) => call.includes("network of"));
  expect(calls).toEqual([
    expect.stringMatching(/^fault network of \w+ \{"LossPercent":0.5,"DelayMs":100,/),
    expect.stringMatching(/^mend network of "\w+"$/),
  ]);
  expect((await server.call("POST", path, { LossPercent: "much" })).status).toBe(400);
  const missing = "/thimble/v1/containers/none/network-fault";
  expect((await server.call("POST", missing, fault)).status).toBe(404);
});
