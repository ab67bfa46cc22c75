import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Plugins } from "#plugin";
import {
  type AuthorizationPlugin,
  openAuthorizationPlugin,
} from "../../test/support/authorization-plugin.ts";
import { type TestServer, testServer } from "./testing.ts";

let directory: string;
let plugin: AuthorizationPlugin;
let server: TestServer;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "thimble-authorization-"));
  plugin = await openAuthorizationPlugin(join(directory, "p.sock"));
  const plugins = new Plugins({ places: { sockets: [directory], specs: [] } });
  server = await testServer({ authorization: { plugins, names: () => ["p"] } });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await plugin[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

test("a plugin hears of a request and of its answer, which is sent as it would be", async () => {
  const { status, json } = await server.call("GET", "/v1.44/containers/json");
  expect([status, json]).toEqual([200, []]);
  const asked = { RequestMethod: "GET", RequestUri: "/v1.44/containers/json" };
  expect(plugin.asked()).toMatchObject([
    { ...asked, verb: "AuthZReq" },
    { ...asked, verb: "AuthZRes", ResponseStatusCode: 200, ResponseBody: "[]\n" },
  ]);
});

test("a path without an endpoint is nobody's to decide about, a version is", async () => {
  expect((await server.call("GET", "/v1.44/nothing")).status).toBe(404);
  expect(plugin.asked()).toEqual([]);
  plugin.decide(() => ({ Allow: false, Msg: "no" }));
  expect((await server.call("GET", "/v1.99/version")).json).toEqual({
    message: "authorization denied by plugin p: no",
  });
});

test("a run in one request is not there, since plugins know Docker's requests alone", async () => {
  const { status } = await server.call("POST", "/thimble/v1/containers/run", { Image: "x" });
  expect(status).toBe(404);
});

test("a refused answer is not sent, and what was done stays done", async () => {
  plugin.decide(({ verb }) => (verb === "AuthZRes" ? { Allow: false, Msg: "no" } : undefined));
  const { status, text } = await server.call("GET", "/_ping");
  expect([status, text]).toEqual([403, '{"message":"authorization denied by plugin p: no"}\n']);
  expect((await server.call("GET", "/v1.44/containers/nope/json")).status).toBe(404);
});

test("a plugin that hangs keeps no other request waiting", async () => {
  const hung = Promise.withResolvers<void>();
  plugin.decide(({ RequestUri }) =>
    RequestUri.includes("version") ? () => hung.resolve() : undefined,
  );
  const gone = new AbortController();
  const waiting = fetch("http://d/version", { unix: server.socket, signal: gone.signal });
  waiting.catch(() => undefined);
  await hung.promise;
  expect((await server.call("GET", "/v1.44/containers/json")).status).toBe(200);
  gone.abort();
});
