import { expect, test } from "bun:test";
import { baseOf, cleanPath } from "./container-path.ts";

test.each([
  ["/", "/", "/"],
  [".", "/.", "."],
  ["/.", "/.", "."],
  ["..", "/", "/"],
  ["dir", "/dir", "dir"],
  ["/dir/", "/dir/", "dir"],
  ["/dir//./sub/", "/dir/sub/", "sub"],
  ["/dir/.", "/dir/.", "."],
  ["/dir/..", "/", "/"],
  ["../../etc/passwd", "/etc/passwd", "passwd"],
  ["/a/../../b", "/b", "b"],
])("%s is cleaned to %s, and its last part is %s", (path, cleaned, base) => {
  expect(cleanPath(path)).toBe(cleaned);
  expect(baseOf(cleaned)).toBe(base);
});
