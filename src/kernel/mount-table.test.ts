import { expect, test } from "bun:test";
import { mountTable, parseMountTable } from "./mount-table.ts";

test("fields, octal escapes and any number of optional fields", () => {
  const [first, second, ...rest] = parseMountTable(
    [
      "36 35 98:0 /mnt1 /mnt\\0402/a\\134b rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue",
      "40 36 0:31 / /caf\\303\\251 ro - overlay over\\011lay rw,lowerdir=/a\\072b:/c",
      "not a mount",
      "",
    ].join("\n"),
  );
  expect(first).toEqual({
    id: 36,
    parent: 35,
    device: "98:0",
    root: "/mnt1",
    target: "/mnt 2/a\\b",
    options: ["rw", "noatime"],
    propagation: ["master:1", "shared:7"],
    type: "ext3",
    source: "/dev/root",
    superOptions: ["rw", "errors=continue"],
  });
  expect(second?.target).toBe("/café");
  expect(second?.source).toBe("over\tlay");
  expect(second?.superOptions).toEqual(["rw", "lowerdir=/a:b:/c"]);
  expect(rest).toEqual([]);
});

test("a target that contains a lone dash", () => {
  const [entry] = parseMountTable("36 35 98:0 / /a rw - tmpfs - rw");
  expect([entry?.target, entry?.type, entry?.source]).toEqual(["/a", "tmpfs", "-"]);
});

test("the table of this process has a root and /proc", () => {
  const targets = mountTable().map((entry) => entry.target);
  expect(targets).toContain("/");
  expect(targets).toContain("/proc");
});
