import { expect, test } from "bun:test";
import { testServer } from "./testing.ts";

/** Recorded from dockerd 28.5. */
test.each([
  ["filters=x", "invalid filter"],
  ['filters={"foo":["a"]}', "failed to prune build cache: invalid filter 'foo'"],
  ['filters={"until":["1h","2h"]}', "failed to prune build cache: filters expect only one value"],
  [
    'filters={"until":["x"]}',
    `failed to prune build cache: "until" filter expects a duration (e.g., '24h') or a timestamp: failed to parse value as time or duration: "x"`,
  ],
  [
    "keep-storage=x",
    'keep-storage is in bytes and expects an integer, got x: strconv.Atoi: parsing "x": invalid syntax',
  ],
  [
    "reserved-space=x",
    'reserved-space is in bytes and expects an integer, got x: strconv.Atoi: parsing "x": invalid syntax',
  ],
])("a prune of the build cache with %s is refused", async (query, message) => {
  await using server = await testServer();
  expect(await server.call("POST", `/build/prune?${query}`)).toMatchObject({
    status: 400,
    json: { message },
  });
});

test("the build cache is empty, and its prune ends", async () => {
  await using server = await testServer();
  const empty = { status: 200, json: { CachesDeleted: null, SpaceReclaimed: 0 } };
  expect(await server.call("POST", '/build/prune?all=1&filters={"label":["a","b"]}')).toMatchObject(
    empty,
  );
  expect(await server.call("POST", "/v1.47/build/prune?reserved-space=x")).toMatchObject(empty);
});
