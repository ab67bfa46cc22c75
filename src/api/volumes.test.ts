import { expect, test } from "bun:test";
import { testServer } from "./testing.ts";

test("a volume is made, listed, shown and removed with Docker's fields and statuses", async () => {
  await using server = await testServer();
  const body = { Name: "data", Labels: { a: "b" }, DriverOpts: null };
  const volume = {
    CreatedAt: "2023-11-14T22:13:20Z",
    Driver: "local",
    Labels: { a: "b" },
    Mountpoint: "/v/data/_data",
    Name: "data",
    Options: null,
    Scope: "local",
  };
  expect(await server.call("POST", "/volumes/create", body)).toMatchObject({
    status: 201,
    json: volume,
  });
  expect((await server.call("GET", "/volumes")).json).toEqual({
    Volumes: [volume],
    Warnings: null,
  });
  expect((await server.call("GET", "/volumes/data")).json).toEqual(volume);
  expect((await server.call("GET", "/system/df?type=volume")).json).toMatchObject({
    Volumes: [{ ...volume, UsageData: { RefCount: 1, Size: 8192 } }],
    Images: null,
  });
  expect((await server.call("DELETE", "/volumes/data")).status).toBe(204);
  expect(await server.call("DELETE", "/volumes/data")).toMatchObject({
    status: 404,
    json: { message: "get data: no such volume" },
  });
  expect((await server.call("DELETE", "/volumes/data?force=1")).status).toBe(204);
});

test("a volume in use is a conflict, one of a cluster is unavailable", async () => {
  await using server = await testServer();
  await server.call("POST", "/volumes/create", { Name: "busy" });
  expect((await server.call("DELETE", "/volumes/busy?force=1")).status).toBe(409);
  const cluster = { Name: "x", ClusterVolumeSpec: {} };
  expect((await server.call("POST", "/volumes/create", cluster)).status).toBe(503);
  expect(await server.call("PUT", "/volumes/busy?version=1", {})).toMatchObject({
    status: 503,
    json: { message: "volume update only valid for cluster volumes, but swarm is unavailable" },
  });
});

test("prune tells what is gone, and null for nothing", async () => {
  await using server = await testServer();
  await server.call("POST", "/volumes/create", {});
  const filters = encodeURIComponent(JSON.stringify({ all: ["true"] }));
  expect((await server.call("POST", `/volumes/prune?filters=${filters}`)).json).toEqual({
    VolumesDeleted: [expect.stringMatching(/^[0-9a-f]{64}$/)],
    SpaceReclaimed: 4096,
  });
  expect((await server.call("POST", "/volumes/prune")).json).toMatchObject({
    VolumesDeleted: [],
  });
  expect(server.engine.calls).toContain('volume prune {"all":["true"]}');
});

test("thimble's own: a clone, and another name", async () => {
  await using server = await testServer();
  await server.call("POST", "/volumes/create", { Name: "data" });
  expect(await server.call("POST", "/thimble/v1/volumes/data/clone?to=copy")).toMatchObject({
    status: 201,
    json: { Volume: { Name: "copy", Driver: "local" }, Copied: 4096, Warnings: ["torn"] },
  });
  const { status, text } = await server.call(
    "POST",
    "/thimble/v1/volumes/data/clone?to=second&progress=1",
  );
  expect([
    status,
    ...text
      .trim()
      .split("\r\n")
      .map((line) => JSON.parse(line)),
  ]).toMatchObject([
    200,
    { id: "data", progressDetail: { current: 1024 } },
    { aux: { Volume: { Name: "second" }, Copied: 4096 } },
  ]);
  expect((await server.call("POST", "/thimble/v1/volumes/nope/clone?to=x&progress=1")).status).toBe(
    404,
  );
  expect(await server.call("POST", "/thimble/v1/volumes/copy/rename?to=new")).toMatchObject({
    status: 200,
    json: { Name: "new" },
  });
  expect((await server.call("POST", "/thimble/v1/volumes/data/clone")).status).toBe(400);
  expect((await server.call("POST", "/thimble/v1/volumes/nope/rename?to=x")).status).toBe(404);
});

test("a volume goes out as a tar, and a tar comes in", async () => {
  await using server = await testServer();
  await server.call("POST", "/volumes/create", { Name: "data" });
  const path = "/thimble/v1/volumes/data/archive";
  const answer = await fetch(`http://engine${path}`, { unix: server.socket });
  expect(answer.headers.get("content-type")).toBe("application/x-tar");
  expect(await answer.text()).toBe("archive of data");
  const sent = await fetch(`http://engine${path}?replace=1`, {
    unix: server.socket,
    method: "PUT",
    body: "12345",
  });
  expect(await sent.json()).toMatchObject({ Volume: { Name: "data" }, Entries: 1, Bytes: 5 });
  expect(server.engine.calls).toContain("volume import data 5 true");
  expect((await server.call("GET", "/thimble/v1/volumes/none/archive")).status).toBe(404);
});

test("snapshots are made, listed, rolled back to and removed", async () => {
  await using server = await testServer();
  await server.call("POST", "/volumes/create", { Name: "data" });
  const path = "/thimble/v1/volumes/data/snapshots";
  const snapshot = {
    ...{ Volume: "data", Tag: "monday", CreatedAt: "2023-11-14T22:13:20Z", Mountpoint: "/s" },
  };
  expect(await server.call("POST", `${path}?tag=monday&pause=0`)).toMatchObject({
    status: 201,
    json: {
      ...{ Snapshot: snapshot, Copied: 4096, Warnings: ["torn"] },
      Paused: { Containers: ["web"], Milliseconds: 12.5 },
    },
  });
  expect((await server.call("POST", path)).status).toBe(201);
  expect((await server.call("GET", path)).json).toMatchObject({ Snapshots: [{ Tag: "now" }] });
  const rollback = "/thimble/v1/volumes/data/rollback";
  expect(await server.call("POST", `${rollback}?tag=now`)).toMatchObject({ json: { Copied: 0 } });
  expect((await server.call("POST", rollback)).status).toBe(400);
  expect((await server.call("DELETE", `${path}/now`)).status).toBe(204);
  expect(server.engine.calls.filter((call) => /snapshot|rollback/.test(call))).toEqual([
    "volume snapshot data monday false",
    "volume snapshot data now true",
    "volume rollback data now",
    "snapshot remove data now",
  ]);
});
