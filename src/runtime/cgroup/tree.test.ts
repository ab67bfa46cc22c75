import { expect, test } from "bun:test";
import { childDirectory } from "./tree.ts";

test("a child is below a parent that is not a root", () => {
  expect(childDirectory("/sys/fs/cgroup/thimble-1", "abc")).toBe("/sys/fs/cgroup/thimble-1/abc");
});

test.each([
  ["", "abc"],
  ["/", "abc"],
  ["/sys", "abc"],
  ["sys/fs/cgroup/x", "abc"],
  ["/sys/fs/cgroup/x/", "abc"],
  ["/sys//cgroup", "abc"],
  ["/sys/fs/cgroup/..", "abc"],
  ["/sys/fs/cgroup/x", ""],
  ["/sys/fs/cgroup/x", "."],
  ["/sys/fs/cgroup/x", ".."],
  ["/sys/fs/cgroup/x", "a/b"],
  ["/sys/fs/cgroup/x", "a\n"],
  ["/sys/fs/cgroup/x", "a\0"],
])("%j with %j is refused", (parent, name) => {
  expect(() => childDirectory(parent, name)).toThrow("cannot be");
});
