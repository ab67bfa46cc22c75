import { expect, test } from "bun:test";
import { testServer } from "./testing.ts";

test("ports are published and taken back by a body of PortBindings", async () => {
  await using server = await testServer();
  await server
    .call("POST", "/containers/create?name=web", { Image: "busybox:test" })
    .then(({ status }) => expect(status).toBe(201));
  const PortBindings = { "80/tcp": [{ HostPort: "8080" }] };
  const path = "/thimble/v1/containers/web/ports";
  const added = await server.call("POST", path, { PortBindings });
  expect([added.status, added.json]).toEqual([
    200,
    { Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }] } },
  ]);
  const removed = await server.call("POST", `${path}/remove`, { PortBindings });
  expect([removed.status, removed.json]).toEqual([200, { Ports: {} }]);
  const body = JSON.stringify(PortBindings);
  expect(server.engine.calls.filter((call) => call.includes("ports"))).toEqual([
    `add ports web ${body}`,
    `remove ports web ${body}`,
  ]);
  expect((await server.call("POST", path, { PortBindings: { "80/tcp": 5 } })).status).toBe(400);
  const missing = "/thimble/v1/containers/none/ports";
  expect((await server.call("POST", missing, { PortBindings })).status).toBe(404);
});

test("the options of a log are changed by a body of LogOptions", async () => {
  await using server = await testServer();
  await server.call("POST", "/containers/create?name=web", { Image: "busybox:test" });
  const path = "/thimble/v1/containers/web/log-options";
  const LogOptions = { "max-size": "5m" };
  expect((await server.call("POST", path, { LogOptions })).status).toBe(204);
  expect(server.engine.calls).toContain('log options web {"max-size":"5m"}');
  expect((await server.call("POST", path, { LogOptions: { "max-size": 5 } })).status).toBe(400);
  expect((await server.call("POST", path)).status).toBe(400);
  const missing = "/thimble/v1/containers/none/log-options";
  expect((await server.call("POST", missing, { LogOptions })).status).toBe(404);
});
