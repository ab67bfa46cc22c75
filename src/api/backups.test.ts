import { expect, test } from "bun:test";
import { testServer } from "./testing.ts";

test("a backup tells its progress and what was made, and a failure in its last line", async () => {
  await using server = await testServer();
  const path = "/thimble/v1/volumes/data/backup";
  const body = { Place: "/backups", KeepLast: 3, Every: 3600, Recipients: ["age1x"] };
  const made = await server.call("POST", path, body);
  expect(made.status).toBe(200);
  const lines = made.text.trim().split("\r\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { id: "Reading", status: "", progressDetail: { current: 500 } },
    { id: "Sent", status: "", progressDetail: { current: 100 } },
    {
      aux: {
        Tag: "data-20260102T030405Z",
        Digest: `sha256:${"12".repeat(32)}`,
        Size: 1000,
        Chunks: 10,
        Sent: 100,
        Removed: ["data-20250102T030405Z"],
        Warnings: ["torn"],
      },
    },
  ]);
  expect(server.engine.calls.at(-1)).toBe(
    'backup create {"volume":"data","place":{"text":"/backups"},"every":3600,' +
      '"holders":{"recipients":["age1x"]},"retention":{"last":3}}',
  );
  const failed = await server.call("POST", path, { Place: "/full" });
  expect(JSON.parse(failed.text.trim().split("\r\n").at(-1) ?? "")).toMatchObject({
    error: "cannot back up data to /full: the disk is full",
  });
});

test("a restore takes keys, credentials come with the request", async () => {
  await using server = await testServer();
  const Bucket = { AccessKeyId: "id", SecretAccessKey: "secret", Endpoint: "http://s3" };
  const body = { Place: "s3://bucket/x", Bucket, Tag: "v1", Identities: ["AGE-SECRET-KEY-1"] };
  const restored = await server.call("POST", "/thimble/v1/volumes/new/restore", body);
  expect(JSON.parse(restored.text.trim().split("\r\n").at(-1) ?? "")).toEqual({
    aux: { Volume: "new", Tag: "v1", Received: 100, Entries: 7 },
  });
  expect(server.engine.calls.at(-1)).toBe(
    'backup restore new {"place":{"text":"s3://bucket/x","bucket":' +
      '{"accessKeyId":"id","secretAccessKey":"secret","endpoint":"http://s3"}},' +
      '"tag":"v1","replaces":false,"opener":{"identities":["AGE-SECRET-KEY-1"]}}',
  );
});

test("backups and schedules are listed, old ones removed, schedules ended", async () => {
  await using server = await testServer();
  expect((await server.call("POST", "/thimble/v1/backups", { Place: "/b" })).json).toEqual([
    { Tag: "data-20260102T030405Z", Volume: "data", Created: "2026-01-02T03:04:05Z" },
  ]);
  expect((await server.call("GET", "/thimble/v1/backups")).json).toEqual([
    {
      ...{ Volume: "kept", Place: "/b", Every: 3600, KeepLast: 3, KeepDaily: null },
      ...{
        Encrypted: false,
        Snapshot: false,
        Last: "2023-11-14T22:13:20Z",
        Tag: "data-20231114T221320Z",
      },
      ...{ Error: "no route", Next: "2023-11-14T23:13:20Z" },
    },
  ]);
  const prune = "/thimble/v1/volumes/data/backup/prune";
  expect((await server.call("POST", prune, { Place: "/b", KeepDaily: 7 })).json).toEqual({
    Removed: ["data-20250102T030405Z"],
    Freed: 4096,
  });
  expect(await server.call("POST", prune, { Place: "/b" })).toMatchObject({ status: 400 });
  const schedule = "/thimble/v1/volumes/data/backup";
  expect((await server.call("DELETE", `${schedule}?place=/b`)).status).toBe(204);
  expect((await server.call("DELETE", schedule)).status).toBe(400);
});

test.each([
  [{}, "Place"],
  [{ Place: "/b", Tag: "a/b" }, "is no tag"],
  [{ Place: "/b", KeepLast: 0 }, "KeepLast"],
  [{ Place: "/b", Passphrase: "x", Recipients: ["age1x"] }, "not both"],
  [{ Place: "/b", Every: 0.5 }, "Every"],
])("a request that makes no sense is refused: %j", async (body, why) => {
  await using server = await testServer();
  const answer = await server.call("POST", "/thimble/v1/volumes/data/backup", body);
  expect(answer).toMatchObject({ status: 400, json: { message: expect.stringContaining(why) } });
  expect(server.engine.calls).toEqual([]);
});
