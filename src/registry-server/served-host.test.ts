import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import type { RegistryServer, RegistryServerOptions } from "./registry-server.ts";
import { startTestServer } from "./testing.ts";

const servers: RegistryServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close({ seconds: 0 });
});

/** Status of a request with these header lines, sent as they are: fetch would set Host itself. */
async function asker(options: Partial<RegistryServerOptions> = {}) {
  const server = await startTestServer({
    handlers: [{ handle: () => new Response("a page") }],
    ...options,
  });
  servers.push(server);
  const { port } = new URL(server.url);
  return (request: string, ...headers: string[]) =>
    new Promise<number>((resolve, reject) => {
      let text = "";
      const socket = connect(Number(port), "127.0.0.1");
      socket.on("data", (chunk) => {
        text += chunk;
      });
      socket.on("error", reject);
      socket.on("close", () => resolve(Number(text.split(" ")[1])));
      const lines = [...headers, "Content-Length: 0", "Connection: close"];
      socket.write(`${request} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    });
}

const push = "POST /v2/r/blobs/uploads/";

describe("a registry on loopback", () => {
  test("refuses a name that a stranger's DNS server gave it", async () => {
    const ask = await asker();
    for (const host of [
      "evil.example",
      "evil.example:5000",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
    ]) {
      expect(await ask(push, `Host: ${host}`)).toBe(403);
      // The page's own origin, as a browser sends it after the name was bound again.
      expect(await ask(push, `Host: ${host}`, `Origin: http://${host}`)).toBe(403);
      expect(await ask("GET /v2/_catalog", `Host: ${host}`)).toBe(403);
      expect(await ask("GET /", `Host: ${host}`)).toBe(403);
    }
  });

  test("answers to loopback's names, to addresses and to names that it was given", async () => {
    const ask = await asker({ hostNames: ["Registry.example"] });
    for (const host of [
      "localhost",
      "LOCALHOST:5000",
      "a.localhost:1",
      "127.0.0.1",
      "[::1]:5000",
      "10.1.2.3:80",
      "registry.example",
      "registry.example.:443",
    ]) {
      expect([host, await ask(push, `Host: ${host}`)]).toEqual([host, 202]);
      expect([host, await ask("GET /", `Host: ${host}`)]).toEqual([host, 200]);
    }
  });

  test("a post from another origin is refused on every path", async () => {
    const ask = await asker();
    for (const origin of ["http://evil.example", "null", "http://localhost"]) {
      for (const request of [push, "POST /page"]) {
        expect(await ask(request, "Host: localhost:5000", `Origin: ${origin}`)).toBe(403);
      }
    }
    expect(await ask(push, "Host: localhost:5000", "Origin: http://localhost:5000")).toBe(202);
  });
});

test("a registry for others answers to any name", async () => {
  const ask = await asker({ address: { host: "0.0.0.0", port: 0 } });
  expect(await ask(push, "Host: registry.example")).toBe(202);
});
