import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcome } from "../base/testing.ts";
import { callPlugin } from "./call.ts";

let directory: string;
let server: Server;
let answers: (response: ServerResponse, body: string) => void;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "thimble-plugin-"));
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    answers(response, Buffer.concat(chunks).toString());
  });
  await new Promise<void>((resolve) => server.listen(join(directory, "p.sock"), resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

const call = (more: { readonly patience?: number; readonly reachPatience?: number } = {}) =>
  callPlugin(
    { name: "p", socket: join(directory, "p.sock") },
    { method: "Role.Method", body: { a: 1 }, patience: 60_000, ...more },
  );

test("a call gives the object that the plugin answers", async () => {
  answers = (response, body) => response.end(`{"Got":${body},"Err":""}`);
  expect(await call()).toEqual({ Got: { a: 1 }, Err: "" });
});

test.each([
  [500, '{"Err":"boom"}', "conflict", "Role.Method: boom"],
  [503, " plain\n", "conflict", "Role.Method: plain"],
  [500, "", "conflict", "Role.Method: the plugin p answered 500"],
  [404, "page not found", "not_found", "Role.Method: page not found"],
  [200, "<html>", "unavailable", "Role.Method: the plugin p answered what is no JSON object"],
  [200, "[]", "unavailable", "Role.Method: the plugin p answered what is no JSON object"],
])("status %d with %j is %s", async (status, text, code, message) => {
  answers = (response) => response.writeHead(status).end(text);
  const fault = await call({ reachPatience: 60_000 }).catch((error) => error);
  expect(fault.code).toBe(code);
  expect(fault.message).toStartWith(message);
});

test("a plugin that does not answer, or not to the end, is waited for no longer than said", async () => {
  const late = "Role.Method: the plugin p did not answer within 0.02 s";
  answers = () => undefined;
  expect(await outcome(call({ patience: 20 }))).toThrow(late);
  answers = (response) => response.write('{"A":');
  expect(await outcome(call({ patience: 20 }))).toThrow(late);
});

test("an answer without end is cut off", async () => {
  let sent = 0;
  answers = (response) => {
    const part = "x".repeat(1 << 20);
    const more = () => {
      while (!response.destroyed && response.write(part)) sent++;
    };
    response.on("drain", more);
    more();
  };
  expect(await outcome(call({ reachPatience: 60_000 }))).toThrow("is larger than 32 MiB");
  expect(sent).toBeLessThan(100);
});

test("an answer that breaks off is not taken for one", async () => {
  answers = (response) => {
    response.writeHead(200, { "Content-Length": 100 });
    response.write('{"Allow":true}', () => response.destroy());
  };
  expect(await outcome(call())).toThrow("Role.Method: the plugin p cannot be asked");
});

test("a plugin that is away is tried again for as long as said", async () => {
  let tries = 0;
  answers = (response) => {
    if (++tries < 3) response.destroy();
    else response.end("{}");
  };
  expect(await call({ reachPatience: 60_000 })).toEqual({});
  tries = 0;
  expect(await outcome(call())).toThrow("Role.Method: the plugin p cannot be asked");
  expect(tries).toBe(1);
});
