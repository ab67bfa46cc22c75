import { expect, test } from "bun:test";
import { fakeImage } from "../../test/support/fake-engine.ts";
import { testServer } from "./testing.ts";

test("changes of a container are listed with Docker's numbers", async () => {
  await using server = await testServer();
  await server.call("POST", "/containers/create?name=c", { Image: "busybox:test" });
  expect((await server.call("GET", "/containers/c/changes")).json).toEqual([
    { Path: "/etc", Kind: 0 },
    { Path: "/etc/café", Kind: 1 },
    { Path: "/etc/plain", Kind: 2 },
  ]);
  await server.call("POST", "/containers/create?name=unchanged", { Image: "busybox:test" });
  expect((await server.call("GET", "/containers/unchanged/changes")).json).toBeNull();
  expect(await server.call("GET", "/containers/none/changes")).toMatchObject({
    status: 404,
    json: { message: "No such container: none" },
  });
});

test("a commit passes name, message, instructions and configuration on", async () => {
  await using server = await testServer();
  await server.call("POST", "/containers/create?name=c", { Image: "busybox:test" });
  const query =
    "container=c&repo=a%2Fb&tag=1&comment=why&author=Me&changes=CMD+x%0AENV+a%3Db&pause=0";
  expect(
    await server.call("POST", `/commit?${query}`, {
      Env: ["c=d"],
      Cmd: "sh",
      Volumes: { "/v": {} },
    }),
  ).toMatchObject({ status: 201, json: { Id: fakeImage.id } });
  const [call = ""] = server.engine.calls.filter((each) => each.startsWith("commit "));
  expect(JSON.parse(call.slice("commit c ".length))).toEqual({
    reference: "a/b:1",
    message: "why",
    author: "Me",
    pause: false,
    changes: ["CMD x", "ENV a=b"],
    config: { Env: ["c=d"], Cmd: ["sh"], Volumes: { "/v": {} } },
  });
});

test("a commit needs no name and no body", async () => {
  await using server = await testServer();
  await server.call("POST", "/containers/create?name=c", { Image: "busybox:test" });
  const response = await fetch("http://d/commit?container=c", {
    unix: server.socket,
    method: "POST",
  });
  expect(response.status).toBe(201);
  expect(server.engine.calls.at(-1)).toBe('commit c {"pause":true,"changes":[],"config":{}}');
  expect((await server.call("POST", "/commit?container=none", {})).status).toBe(404);
});

test("disk usage has Docker's shape; kinds that are not asked for are null", async () => {
  await using server = await testServer();
  await server.call("POST", "/containers/create?name=c", { Image: "busybox:test" });
  const all = await server.call("GET", "/system/df");
  expect(all.json).toMatchObject({
    LayersSize: 6144,
    Images: [{ Id: fakeImage.id, Size: 4096, SharedSize: 1024 }],
    Containers: [{ Names: ["/c"], SizeRw: 10, SizeRootFs: 4106 }],
    Volumes: [],
    BuildCache: [],
    Reclaimable: 6144,
  });
  expect((await server.call("GET", "/system/df?type=container")).json).toMatchObject({
    LayersSize: 0,
    Images: null,
    Containers: [{ Names: ["/c"] }],
    Volumes: null,
    BuildCache: null,
  });
  expect(await server.call("GET", "/system/df?type=bogus")).toMatchObject({
    status: 400,
    json: { message: "unknown object type: bogus" },
  });
  expect(await server.call("POST", "/build/prune")).toMatchObject({
    status: 200,
    json: { CachesDeleted: null, SpaceReclaimed: 0 },
  });
  expect((await server.call("GET", "/images/json?shared-size=1")).json).toMatchObject([
    { SharedSize: 1024 },
  ]);
});

test("an image's descriptor is told from the version on that has it", async () => {
  await using server = await testServer();
  const inspect = async (path: string) =>
    (await server.call("GET", `${path}`)).json as Record<string, unknown>;
  expect(await inspect("/v1.47/images/busybox:test/json")).not.toHaveProperty("Descriptor");
  const newer = await inspect("/v1.48/images/busybox:test/json?manifests=1");
  expect(newer.Descriptor).toEqual(fakeImage.descriptor);
  expect(newer.Manifests).toMatchObject([
    { ID: fakeImage.descriptor.digest, Available: true, Size: { Content: 2048, Total: 6144 } },
  ]);
  expect(newer.GraphDriver).toEqual({
    Name: "overlay2",
    Data: { UpperDir: "/s/2/fs", LowerDir: "/s/1/fs" },
  });
});

test("files of an image come as a tar, with the path's facts in a header", async () => {
  await using server = await testServer();
  const path = "/thimble/v1/images/busybox:test/archive";
  const answer = await server.call("GET", `${path}?path=/bin/link&follow=1`);
  expect(answer.text).toBe("a tar");
  const stat = answer.headers.get("x-docker-container-path-stat") ?? "";
  expect(JSON.parse(Buffer.from(stat, "base64").toString())).toEqual({
    name: "link",
    size: 0,
    mode: 2 ** 27 + 0o777,
    mtime: "2023-11-14T22:13:20Z",
    linkTarget: "there",
  });
  expect(server.engine.calls).toEqual(["archive /bin/link follow", "archive closed"]);
  expect((await server.call("GET", `${path}?path=/missing`)).status).toBe(404);
  expect((await server.call("GET", path)).status).toBe(400);
});

test("a check tells each finding, then the numbers of what it read", async () => {
  await using server = await testServer();
  const answer = await server.call("POST", "/thimble/v1/system/fsck?repair=1");
  const lines = answer.text.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      finding: {
        kind: "blob-corrupt",
        about: fakeImage.id,
        images: ["busybox:test"],
        message: "bits have flipped",
        repaired: true,
      },
    },
    { checked: { blobs: 3, bytes: 2048, layers: 1 } },
  ]);
  expect(server.engine.calls).toEqual(["fsck repair"]);
});
