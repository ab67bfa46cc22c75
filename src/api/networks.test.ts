import { afterAll, beforeAll, expect, test } from "bun:test";
import { type TestServer, testServer } from "./testing.ts";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

test("a network is shown with every field that Docker has", async () => {
  const { status, json } = await server.call("GET", "/networks/front?verbose=true");
  expect(status).toBe(200);
  expect(json).toEqual({
    Name: "front",
    Id: expect.stringMatching(/^n1/),
    Created: "2023-11-14T22:13:20Z",
    Scope: "local",
    Driver: "bridge",
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: "default",
      Options: null,
      Config: [{ Subnet: "10.7.0.0/24", Gateway: "10.7.0.1" }],
    },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: {},
    Options: {},
    Labels: {},
  });
  expect(await server.call("GET", "/networks/nope")).toMatchObject({ status: 404 });
});

test("a body is passed on in the engine's words", async () => {
  const body = {
    Name: "lab",
    IPAM: { Config: [{ Subnet: "10.7.1.0/24", AuxiliaryAddresses: { a: "10.7.1.9" } }] },
    Labels: { x: "y" },
    EnableIPv6: true,
    EnableIPv4: null,
  };
  expect(await server.call("POST", "/networks/create", body)).toMatchObject({
    status: 201,
    json: { Warning: "nothing goes out" },
  });
  expect(server.engine.calls.at(-1)).toBe(
    `create network ${JSON.stringify({
      name: "lab",
      driver: "",
      subnets: [{ subnet: "10.7.1.0/24", range: "", gateway: "", reserved: { a: "10.7.1.9" } }],
      hasIpv6: true,
      isInternal: false,
      isAttachable: false,
      labels: { x: "y" },
      options: {},
    })}`,
  );
  const connect = { Container: "web", EndpointConfig: { Aliases: ["a"], GwPriority: 3 } };
  const connected = await server.call("POST", "/networks/front/connect", connect);
  expect(connected).toMatchObject({ status: 200, text: "" });
  expect(server.engine.calls.at(-1)).toBe(`connect front web {"Aliases":["a"],"GwPriority":3}`);
  const forced = { Container: "web", Force: true };
  await server.call("POST", "/networks/front/disconnect", forced);
  expect(server.engine.calls.at(-1)).toBe(`disconnect front web {"force":true}`);
});

test.each([
  [{ Name: "x", Ingress: true }, 403, "Ingress network can only be global scope network"],
  [{ Name: "x", Scope: "swarm" }, 403, "cannot create a swarm scoped network"],
  [{ Name: "x", IPAM: { Driver: "foo" } }, 404, 'plugin "foo" not found'],
] as const)("%j is refused", async (body, status, message) => {
  const answer = await server.call("POST", "/networks/create", body);
  expect(answer.status).toBe(status);
  expect(answer.json).toEqual({ message: expect.stringContaining(message) });
});

test("prune and remove answer as Docker does, and unknown filters are refused", async () => {
  const pruned = await server.call("POST", "/networks/prune");
  expect(pruned).toMatchObject({ status: 200, json: { NetworksDeleted: null } });
  expect(await server.call("DELETE", "/networks/front")).toMatchObject({ status: 204 });
  const filters = encodeURIComponent(JSON.stringify({ foo: ["a"] }));
  expect(await server.call("GET", `/networks?filters=${filters}`)).toMatchObject({ status: 400 });
});
