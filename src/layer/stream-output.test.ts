import { expect, test } from "bun:test";
import { join } from "node:path";
import { outcome } from "../base/testing.ts";
import { packTree } from "./index.ts";

test("a stream that is cancelled fails, and does not end as if it were whole", async () => {
  const stop = new AbortController();
  const read = async () => {
    for await (const _ of packTree(join(import.meta.dirname, ".."), { signal: stop.signal }))
      stop.abort();
  };
  expect(await outcome(read())).toThrow("canceled");
});

test("a stream that its reader leaves is no failure", async () => {
  let chunks = 0;
  for await (const _ of packTree(import.meta.dirname)) {
    chunks++;
    break;
  }
  expect(chunks).toBe(1);
});
