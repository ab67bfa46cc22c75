import { expect, test } from "bun:test";
import { Fault, silentLog } from "#base";
import type { BuildKit } from "#buildkit";
import { Plugins } from "#plugin";
import { type TestServer, testServer } from "./testing.ts";

/** Takes connections, and says what came on them. */
function fakeBuildKit() {
  const heard: string[] = [];
  const buildkit: BuildKit = {
    async accept(connection, early) {
      heard.push(String(Buffer.from(early)));
      connection.on("data", (bytes) => heard.push(String(bytes)));
      connection.write("served");
    },
    async checkSession(header) {
      if (header("x-docker-expose-session-uuid") === undefined)
        throw new Fault("invalid", "a session needs an id");
    },
    async serveSession(connection, header) {
      connection.write(`session ${header("x-docker-expose-session-uuid")}`);
    },
    close: async () => undefined,
  };
  return { heard, buildkit };
}

async function asked(server: TestServer, head: string, until: string): Promise<string> {
  const raw = await server.raw();
  raw.send(head);
  return await raw.until(until);
}

const upgrade = (path: string, protocol: string, more = "") =>
  `POST ${path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${more}Content-Length: 0\r\n\r\n`;
const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";

test("without builds their clients are refused, and told to build otherwise", async () => {
  await using server = await testServer();
  expect(await server.call("POST", "/grpc")).toMatchObject({ status: 501 });
  expect((await server.call("GET", "/_ping")).headers.get("builder-version")).toBeNull();
});

test("with them they are told to build by BuildKit, and get its protocol", async () => {
  const { buildkit } = fakeBuildKit();
  await using server = await testServer({ buildkit });
  expect((await server.call("GET", "/_ping")).headers.get("builder-version")).toBe("2");
  expect(await asked(server, upgrade("/v1.51/grpc", "h2c"), "served")).toStartWith(switched);
  const id = "X-Docker-Expose-Session-Uuid: abc\r\n";
  const session = await asked(server, upgrade("/session", "h2c", id), "session abc");
  expect(session).toStartWith(switched);
});

/** Recorded from dockerd 28.5. */
test.each([
  ["/grpc", 500],
  ["/session", 400],
])("%s without an upgrade is refused", async (path, status) => {
  await using server = await testServer({ buildkit: fakeBuildKit().buildkit });
  const message = "no upgrade proto in request";
  expect(await server.call("POST", path)).toMatchObject({ status, json: { message } });
});

test.each([
  ["/grpc", "HTTP/1.1 500 "],
  ["/session", "HTTP/1.1 400 "],
])("%s with another protocol is refused", async (path, status) => {
  await using server = await testServer({ buildkit: fakeBuildKit().buildkit });
  const answer = await asked(server, upgrade(path, "tcp"), "supported");
  expect(answer).toStartWith(status);
  expect(answer).toContain("protocol tcp not supported");
});

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

test("a client that begins with HTTP/2 is served, from its first byte on", async () => {
  const { heard, buildkit } = fakeBuildKit();
  await using server = await testServer({ buildkit });
  await asked(server, `${preface}more`, "served");
  expect(heard.join("")).toBe(`${preface}more`);
});

test("not where plugins are asked about requests, or nothing builds", async () => {
  const plugins = new Plugins();
  const authorization = { plugins, names: () => ["any"] };
  for (const options of [{}, { buildkit: fakeBuildKit().buildkit, authorization }]) {
    await using server = await testServer({ ...options, log: silentLog });
    expect(await asked(server, preface, "request")).toStartWith("HTTP/1.1 400 ");
  }
});
