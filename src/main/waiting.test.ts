import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");

test("no test waits for a promise within expect, see `outcome` of src/base/testing.ts", () => {
  const files = [...new Bun.Glob("{src,test}/**/*.ts").scanSync(root)];
  const waiting = files.filter((file) =>
    /\)\s*\.(rejects|resolves)\./.test(readFileSync(join(root, file), "utf8")),
  );
  expect(files.length).toBeGreaterThan(500);
  expect(waiting).toEqual([]);
});
