import { expect, test } from "bun:test";
import { fakeImage } from "../../test/support/fake-engine.ts";
import { testServer } from "./testing.ts";

/** The answer of the first version that lacks a change, and of the one that brought it. */
async function answers(path: string, versions: readonly [string, string]) {
  await using server = await testServer();
  const [before, after] = await Promise.all(
    versions.map(async (version) => (await server.call("GET", `/v${version}${path}`)).json),
  );
  return { before: before as Answer, after: after as Answer };
}

type Answer = Readonly<Record<string, unknown>> & readonly Readonly<Record<string, unknown>>[];

test("lists of images tell the size twice before 1.44, and count containers from 1.51 on", async () => {
  const size = await answers("/images/json", ["1.43", "1.44"]);
  expect(size.before[0]).toMatchObject({ VirtualSize: 4096, Size: 4096, Containers: -1 });
  expect(size.after[0]).not.toHaveProperty("VirtualSize");
  const count = await answers("/images/json", ["1.50", "1.51"]);
  expect([count.before[0]?.Containers, count.after[0]?.Containers]).toEqual([-1, 0]);
});

test("an image without a name is called <none> before 1.43", async () => {
  await using server = await testServer();
  server.engine.images.list = async () => [{ ...fakeImage, tags: [], digests: [] }];
  const none = { RepoTags: ["<none>:<none>"], RepoDigests: ["<none>@<none>"] };
  expect((await server.call("GET", "/v1.42/images/json")).json).toMatchObject([none]);
  expect((await server.call("GET", "/v1.43/images/json")).json).toMatchObject([
    { RepoTags: [], RepoDigests: [] },
  ]);
});

test("inspect of an image has the fields of containers before 1.50", async () => {
  const path = "/images/busybox:test/json";
  const config = await answers(path, ["1.49", "1.50"]);
  expect(config.before.Config).toMatchObject({ Hostname: "", Tty: false });
  expect(config.after.Config).not.toHaveProperty("Hostname");
  const legacy = await answers(path, ["1.44", "1.45"]);
  expect(legacy.before).toMatchObject({ ContainerConfig: { Cmd: null } });
  expect(legacy.after).not.toHaveProperty("ContainerConfig");
  const descriptor = await answers(path, ["1.47", "1.48"]);
  expect(descriptor.before).not.toHaveProperty("Descriptor");
  expect(descriptor.after).toHaveProperty("Descriptor");
});

test("info has the fields of its version", async () => {
  const bridge = await answers("/info", ["1.49", "1.50"]);
  expect(bridge.before).toHaveProperty("BridgeNfIptables");
  expect(bridge.after).not.toHaveProperty("BridgeNfIptables");
});

test("output in frames has a type of its own from 1.42 on", async () => {
  await using server = await testServer();
  await server.call("POST", "/containers/create?name=a", { Image: "busybox:test", Cmd: ["echo"] });
  const type = async (version: string) =>
    (await server.call("GET", `/v${version}/containers/a/logs?stdout=1`)).headers.get(
      "content-type",
    );
  expect(await type("1.41")).toBe("application/vnd.docker.raw-stream");
  expect(await type("1.42")).toBe("application/vnd.docker.multiplexed-stream");
});

test("a wait of before 1.30 has no condition and answers once", async () => {
  await using server = await testServer();
  await server.call("POST", "/containers/create?name=a", { Image: "busybox:test", Cmd: ["echo"] });
  await server.call("POST", "/containers/a/start");
  const wait = (version: string) =>
    server.call("POST", `/v${version}/containers/a/wait?condition=x`);
  expect(await wait("1.29")).toMatchObject({ status: 200, json: { StatusCode: 0 } });
  expect(await wait("1.30")).toMatchObject({ status: 400 });
});

test("a prune takes volumes with names before 1.42", async () => {
  await using server = await testServer();
  const asked: unknown[] = [];
  server.engine.volumes.prune = async (filters) => {
    asked.push(filters.all);
    return { removed: [], bytes: 0 };
  };
  for (const version of ["1.41", "1.42"]) await server.call("POST", `/v${version}/volumes/prune`);
  expect(asked).toEqual([["true"], undefined]);
});

test("OPTIONS is answered at every path", async () => {
  await using server = await testServer();
  for (const path of ["/", "/containers/json", "/v1.24/nothing"])
    expect(await server.call("OPTIONS", path)).toMatchObject({ status: 200, text: "" });
});

test("a body may be missing where all its fields may", async () => {
  await using server = await testServer();
  expect((await server.call("POST", "/networks/create")).status).toBe(201);
  expect(await server.call("POST", "/containers/create")).toMatchObject({
    status: 400,
    json: { message: "invalid JSON: got EOF while reading request body" },
  });
});
