import { expect, test } from "bun:test";
import { encodeRegistryAuth } from "#wire";
import { fakeImage } from "../../test/support/fake-engine.ts";
import { type TestServer, testServer } from "./testing.ts";

async function post(server: TestServer, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`http://d${path}`, { unix: server.socket, method: "POST", headers });
  const lines = (await response.text()).split(/\r?\n/).filter((line) => line !== "");
  return { status: response.status, lines: lines.map((line) => JSON.parse(line)) };
}

const auth = encodeRegistryAuth({ username: "joe", password: "secret" });

test("a pull tells its steps as dockerd does", async () => {
  await using server = await testServer();
  const path =
    "/images/create?fromImage=registry.example%2Fbusybox&tag=test&platform=linux%2Farm64";
  expect(await post(server, path, { "X-Registry-Auth": auth })).toEqual({
    status: 200,
    lines: [
      { status: "Pulling from library/busybox", id: "test" },
      { status: "Pulling fs layer", progressDetail: {}, id: "0123456789ab" },
      {
        status: "Downloading",
        progressDetail: { current: 5, total: 10 },
        progress: "[=========================>                         ]       5B/10B",
        id: "0123456789ab",
      },
      { status: "Pull complete", progressDetail: {}, id: "0123456789ab" },
      { status: `Digest: ${fakeImage.id}` },
      { status: "Status: Downloaded newer image for registry.example/busybox:test" },
    ],
  });
  expect(server.engine.calls).toEqual(["pull registry.example/busybox:test linux/arm64", "as joe"]);
});

test("a tag may be a digest, and no tag means all of them", async () => {
  await using server = await testServer();
  await post(server, `/images/create?fromImage=a&tag=${fakeImage.id}`);
  await post(server, "/images/create?fromImage=a");
  await post(server, "/images/create?fromImage=a:1");
  expect(server.engine.calls).toEqual([`pull a@${fakeImage.id}`, "pull a all", "pull a:1"]);
});

test("credentials are for the registry of the image; others are listed by name", async () => {
  await using server = await testServer();
  await post(server, "/images/create?fromImage=other.example%2Fa&tag=1", {
    "X-Registry-Auth": auth,
  });
  expect(server.engine.calls).toEqual(["pull other.example/a:1"]);
  const config = Buffer.from(
    JSON.stringify({ "https://registry.example/v1/": { auth: btoa("ann:b:c") } }),
  ).toString("base64url");
  await post(server, "/images/create?fromImage=other.example%2Fa&tag=2", {
    "X-Registry-Config": config,
  });
  expect(server.engine.calls.slice(1)).toEqual(["pull other.example/a:2", "as ann"]);
  await post(server, "/images/create?fromImage=registry.example%2Fa&tag=3", {
    "X-Registry-Auth": "@@@",
  });
  expect(server.engine.calls.slice(3)).toEqual(["pull registry.example/a:3"]);
});

test("why a pull could not begin has dockerd's words and status", async () => {
  await using server = await testServer();
  const pull = (name: string, headers = {}) =>
    post(server, `/images/create?fromImage=${name}&tag=1`, headers);
  expect(await pull("registry.example/missing")).toEqual({
    status: 404,
    lines: [
      {
        message:
          "manifest for registry.example/missing:1 not found: manifest unknown: manifest unknown",
      },
    ],
  });
  expect(await post(server, "/images/create?fromImage=registry.example/missing")).toEqual({
    status: 404,
    lines: [
      {
        message:
          "repository registry.example/missing not found: name unknown: repository name not known to registry",
      },
    ],
  });
  expect(await pull("registry.example/secret")).toMatchObject({
    status: 500,
    lines: [{ message: expect.stringContaining("no basic auth credentials") }],
  });
  expect(await pull("registry.example/secret", { "X-Registry-Auth": auth })).toMatchObject({
    status: 401,
    lines: [{ message: expect.stringMatching(/^unauthorized: /) }],
  });
  expect(await pull("away")).toMatchObject({ status: 500, lines: [{ message: "nobody answers" }] });
  expect((await pull("Upper")).status).toBe(400);
  expect(await post(server, "/images/create?fromImage=a&tag=1&platform=bogus/x/y/z")).toMatchObject(
    {
      status: 400,
      lines: [{ message: expect.stringContaining("cannot parse platform specifier") }],
    },
  );
});

test("a pull that breaks off later says so in its last line", async () => {
  await using server = await testServer();
  const { status, lines } = await post(server, "/images/create?fromImage=broken&tag=1");
  expect(status).toBe(200);
  expect(lines.at(-1)).toEqual({
    errorDetail: { message: "not what was promised" },
    error: "not what was promised",
  });
});

test("a client that goes away ends its pull", async () => {
  await using server = await testServer();
  const abort = new AbortController();
  const response = await fetch("http://d/images/create?fromImage=endless&tag=1", {
    unix: server.socket,
    method: "POST",
    signal: abort.signal,
  });
  await response.body?.getReader().read();
  abort.abort();
  while (!server.engine.calls.includes("pull canceled")) await Bun.sleep(1);
});

test("a push tells its steps, and its end as a record", async () => {
  await using server = await testServer();
  expect(await post(server, "/images/busybox/push?tag=test")).toEqual({
    status: 200,
    lines: [
      { status: "The push refers to repository [docker.io/library/busybox]" },
      { status: "Preparing", progressDetail: {}, id: "0123456789ab" },
      { status: "Mounted from library/other", progressDetail: {}, id: "0123456789ab" },
      { status: `test: digest: ${fakeImage.id} size: 946` },
      { progressDetail: {}, aux: { Tag: "test", Digest: fakeImage.id, Size: 946 } },
    ],
  });
  const platform = encodeURIComponent(JSON.stringify({ os: "linux", architecture: "arm64" }));
  await post(server, `/images/a/b/push?platform=${platform}`);
  expect(server.engine.calls).toEqual(["push busybox:test", "push a/b all linux/arm64"]);
  expect((await post(server, "/images/missing/push?tag=1")).lines.at(-1)).toEqual({
    errorDetail: { message: "tag does not exist: missing:1" },
    error: "tag does not exist: missing:1",
  });
});

test("a login is answered with the registry's token, if there is one", async () => {
  await using server = await testServer();
  const login = (body: object) => server.call("POST", "/auth", body);
  expect(
    await login({ username: "joe", password: "x", serveraddress: "https://r.example:5000/v2/" }),
  ).toMatchObject({ status: 200, json: { IdentityToken: "", Status: "Login Succeeded" } });
  expect(await login({ username: "token", password: "x" })).toMatchObject({
    json: { IdentityToken: "refresh" },
  });
  expect(await login({ username: "joe", password: "wrong" })).toMatchObject({
    status: 500,
    json: { message: "login attempt to docker.io failed with status: 401 Unauthorized" },
  });
  expect(server.engine.calls.slice(0, 2)).toEqual([
    'login r.example:5000 {"username":"joe","password":"x"}',
    'login docker.io {"username":"token","password":"x"}',
  ]);
});

test("a registry is asked for the manifest of a name", async () => {
  await using server = await testServer();
  expect((await server.call("GET", "/distribution/r.example/a:1/json")).json).toEqual({
    Descriptor: {
      mediaType: "application/vnd.oci.image.index.v1+json",
      digest: fakeImage.id,
      size: 946,
    },
    Platforms: [{ architecture: "arm", os: "linux", variant: "v7" }],
  });
  expect((await server.call("GET", "/distribution/missing/json")).status).toBe(404);
});

test("a search is filtered as asked", async () => {
  await using server = await testServer();
  const search = async (query: string) =>
    await server.call("GET", `/images/search?term=busybox&${query}`);
  expect((await search("limit=5")).json).toEqual([
    {
      star_count: 7,
      is_official: true,
      name: "busybox",
      is_automated: false,
      description: "tools",
    },
    {
      star_count: 1,
      is_official: false,
      name: "me/busybox",
      is_automated: false,
      description: "",
    },
  ]);
  expect(server.engine.calls).toEqual(["search busybox 5"]);
  const filtered = encodeURIComponent(JSON.stringify({ stars: ["3"], "is-official": ["true"] }));
  expect((await search(`filters=${filtered}`)).json).toMatchObject([{ name: "busybox" }]);
  expect(await search("limit=1000")).toMatchObject({
    status: 400,
    json: { message: "limit 1000 is outside the range of [1, 100]" },
  });
});
