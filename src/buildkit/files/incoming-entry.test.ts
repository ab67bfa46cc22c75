import { describe, expect, test } from "bun:test";
import { Stat } from "../protobuf/file-messages.ts";
import { EntryCheck } from "./incoming-entry.ts";

const directory = 0x80000000 + 0o755;
const file = (path: string, more = {}) =>
  Stat.decode(Stat.encode({ path, mode: 0o644, size: 3n, ...more }));
const take = (...stats: readonly Stat[]) => {
  const check = new EntryCheck(10);
  return stats.map((stat) => check.take(stat));
};

test("files are taken in their directories, sockets left out", () => {
  const socket = { mode: 0x1000000 + 0o755 };
  const found = take(file("a", { mode: directory }), file("a/b"), file("a/s", socket));
  expect(found.map((each) => each && [each.path, each.mode, each.size])).toEqual([
    ["a", 0o040755, 0],
    ["a/b", 0o100644, 3],
    undefined,
  ]);
});

describe("what no honest client says is refused:", () => {
  const link = { mode: 0x8000000 + 0o777, linkname: "/etc" };
  for (const [what, stats, why] of [
    ["a path out of the directory", [file("../x")], "leads out"],
    ["a path from the root", [file("/etc/passwd")], "leads out"],
    ["a path with an empty part", [file("a", { mode: directory }), file("a//b")], "not clean"],
    ["no path", [file("")], "no path"],
    ["a name with a zero", [file("a\0b")], "no path"],
    ["a name of other bytes than UTF-8", [file("a\ufffd")], "not UTF-8"],
    ["a file without its directory", [file("a/b")], "its directory did not come"],
    ["a file in a file", [file("a"), file("a/b")], "its directory did not come"],
    ["a file in a link", [file("l", link), file("l/passwd")], "its directory did not come"],
    ["a path twice", [file("a"), file("a")], "came before"],
    ["a hard link to nothing", [file("b", { linkname: "../etc/shadow" })], "no file before it"],
    ["a hard link to a link", [file("l", link), file("b", { linkname: "l" })], "no file before"],
    ["a negative size", [file("a", { size: -1n })], "size is -1"],
    ["a mode of two types", [file("a", { mode: 0x88000000 })], "no type of file"],
  ] as const)
    test(what, () => {
      expect(() => take(...stats)).toThrow(why);
    });

  test("more files than a context may have", () => {
    const many = Array.from({ length: 11 }, (_, index) => file(String(index)));
    expect(() => take(...many)).toThrow("more than 10 files");
  });
});
