import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "#base";
import { createFakeEngine } from "../../test/support/fake-engine.ts";
import { authority, issue } from "../../test/support/registry-certificates.ts";
import { outcome } from "../base/testing.ts";
import type { ListenAddress } from "./listener.ts";
import { createApiServer } from "./server.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-listen-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function listen(...addresses: ListenAddress[]) {
  const logged: string[] = [];
  const log = createLog("debug", (line) => void logged.push(line));
  const server = createApiServer({ engine: createFakeEngine(), log, version: "0" });
  const listeners = await server.listen(addresses);
  const names = listeners.map(({ name }) => name);
  return { names, listeners, logged, [Symbol.asyncDispose]: () => server.close() };
}

const loopback = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

/** The whole answer to some bytes. */
function ask(name: string | undefined, text: string): Promise<string> {
  const { hostname, port } = new URL((name ?? "").replace("tcp:", "http:"));
  const socket: Socket = connect(Number(port), hostname);
  let answer = "";
  return new Promise((resolve, reject) => {
    socket.on("data", (bytes) => {
      answer += bytes.toString();
    });
    socket.on("error", reject).on("close", () => resolve(answer));
    socket.write(text);
  });
}
const ping = (fields: string) => `GET /_ping HTTP/1.1\r\nConnection: close\r\n${fields}\r\n\r\n`;

test("several addresses serve the same, each under its name", async () => {
  const path = join(directory, "s");
  await using server = await listen({ kind: "unix", path, mode: 0o640 }, loopback);
  expect(server.names).toEqual([
    `unix://${path}`,
    expect.stringMatching(/^tcp:\/\/127\.0\.0\.1:\d+$/),
  ]);
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(await (await fetch("http://d/_ping", { unix: path })).text()).toBe("OK");
  expect(await ask(server.names[1], ping("Host: localhost"))).toEndWith("OK");
});

test("when one address cannot be had, none is served", async () => {
  const path = join(directory, "none");
  const exposed = { kind: "tcp", host: "0.0.0.0", port: 0 } as const;
  expect(await outcome(listen({ kind: "unix", path, mode: 0o600 }, exposed))).toThrow(
    "without TLS",
  );
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
});

test("what a page of a stranger's site has a browser send is refused over TCP", async () => {
  await using server = await listen(loopback);
  const [name] = server.names;
  const rebound = await ask(name, ping("Host: evil.example"));
  expect(rebound).toStartWith("HTTP/1.1 403 ");
  expect(rebound).toContain("connect to localhost or 127.0.0.1");
  const crossed = await ask(name, ping("Host: localhost\r\nOrigin: http://evil.example"));
  expect(crossed).toStartWith("HTTP/1.1 403 ");
});

test("TLS tells a client without a certificate no, and one that speaks plain HTTP why", async () => {
  const [own, other] = [await authority(), await authority()];
  const tls = { ...(await issue(own, "127.0.0.1")), clientAuthority: own.cert };
  await using server = await listen({ ...loopback, tls });
  const [name = ""] = server.names;
  const url = `${name.replace("tcp:", "https:")}/_ping`;
  const get = (client: object) =>
    fetch(url, { tls: { ca: own.cert, ...client }, keepalive: false }).then(
      (answer) => answer.text(),
      () => "refused",
    );
  expect(await get(await issue(own, "client"))).toBe("OK");
  expect(await get({})).toBe("refused");
  expect(await get(await issue(other, "client"))).toBe("refused");
  expect(await ask(name, ping("Host: x"))).toContain(
    "Client sent an HTTP request to an HTTPS server.",
  );
  expect(server.logged.join("")).toContain("a client could not connect");
});

test("renewed certificates hold for later connections, and clients are asked as before", async () => {
  const [old, renewed] = [await authority(), await authority()];
  await using server = await listen({ ...loopback, tls: await issue(old, "127.0.0.1") });
  const url = `${(server.names[0] ?? "").replace("tcp:", "https:")}/_ping`;
  const get = (ca: string) =>
    fetch(url, { tls: { ca }, keepalive: false }).then(
      (answer) => answer.text(),
      () => "not trusted",
    );
  expect([await get(old.cert), await get(renewed.cert)]).toEqual(["OK", "not trusted"]);
  const [listener] = server.listeners;
  const tls = await issue(renewed, "127.0.0.1");
  listener?.renew(tls);
  expect([await get(old.cert), await get(renewed.cert)]).toEqual(["not trusted", "OK"]);
  const clientAuthority = renewed.cert;
  expect(() => listener?.renew({ ...tls, clientAuthority })).toThrow("changes with a start");
  expect(await get(renewed.cert)).toBe("OK");
});
