import { expect, test } from "bun:test";
import { testServer } from "./testing.ts";

const image = "/thimble/v1/images/busybox:test";

test("explain: defaults, and options", async () => {
  await using server = await testServer();
  expect((await server.call("GET", `${image}/explain`)).json).toMatchObject({
    image: { tags: ["busybox:test"] },
    total: { wasted: 50 },
  });
  await server.call("GET", `${image}/explain?top=3&depth=1&layer=2`);
  expect(server.engine.calls).toEqual([
    'explain busybox:test {"top":10,"depth":3}',
    'explain busybox:test {"top":3,"depth":1,"layer":"2"}',
  ]);
  const path = await server.call("GET", `${image}/explain?path=%2Fetc%2Fpasswd`);
  expect(path.json).toMatchObject({ path: "/etc/passwd", steps: [] });
});

test("diff: between the image of the path and the one of the query", async () => {
  await using server = await testServer();
  const answer = await server.call("GET", `${image}/diff?to=other:1`);
  expect(answer.json).toMatchObject({ sharedLayers: 2, changes: [] });
  expect(server.engine.calls).toEqual(['compare busybox:test other:1 {"limit":1000}']);
});

test("squash: a stream that ends with the report", async () => {
  await using server = await testServer();
  const answer = await server.call(
    "POST",
    `${image}/squash?from=1&reference=small:1&epoch=1700000000`,
  );
  const lines = answer.text.trim().split("\r\n");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { status: "Merging 2 layers" },
    { aux: { squash: { merged: 2, before: { layers: 2 }, after: { layers: 1 } } } },
  ]);
  expect(server.engine.calls).toEqual([
    'squash busybox:test {"from":"1","reference":"small:1","created":"1700000000000000000"}',
  ]);
});

test.each<[method: string, path: string, status: number, message: string]>([
  ["GET", "/thimble/v1/images/nosuch/explain", 404, "nosuch"],
  ["GET", `${image}/explain?top=0`, 400, "invalid query parameter top"],
  ["GET", `${image}/explain?depth=x`, 400, "invalid query parameter depth"],
  ["GET", `${image}/diff`, 400, "invalid query parameter to"],
  ["POST", `${image}/squash?epoch=-1`, 400, "invalid query parameter epoch"],
  ["POST", `${image}/squash?epoch=1.5`, 400, "invalid query parameter epoch"],
])("%s %s is %i", async (method, path, status, message) => {
  await using server = await testServer();
  const answer = await server.call(method, path);
  expect(answer.status).toBe(status);
  expect(answer.text).toContain(message);
});
