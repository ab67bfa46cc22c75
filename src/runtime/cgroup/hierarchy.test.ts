import { describe, expect, test } from "bun:test";
import { parseMountTable } from "#kernel";
import { findLayout, hierarchyName } from "./hierarchy.ts";

const line = (target: string, type: string, options: string) =>
  `40 31 0:28 / ${target} rw,nosuid - ${type} ${type} ${options}`;
const layout = (...lines: readonly string[]) => findLayout(parseMountTable(lines.join("\n")));

describe("which cgroups there are", () => {
  test("v2 alone", () => {
    expect(layout(line("/sys/fs/cgroup", "cgroup2", "rw,nsdelegate"))).toEqual({
      version: 2,
      hierarchies: [{ controllers: [], mountPoint: "/sys/fs/cgroup" }],
    });
  });

  test("a hybrid machine is v1, with every tree it has", () => {
    const found = layout(
      line("/sys/fs/cgroup/unified", "cgroup2", "rw"),
      line("/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct"),
      line("/sys/fs/cgroup/systemd", "cgroup", "rw,xattr,name=systemd"),
      line("/sys/fs/cgroup/memory", "cgroup", "rw,memory"),
      line("/other/memory", "cgroup", "rw,memory"),
    );
    expect(found.version).toBe(1);
    expect(found.hierarchies.map(hierarchyName)).toEqual(["cpu,cpuacct", "systemd", "memory"]);
    expect(found.hierarchies[2]?.mountPoint).toBe("/sys/fs/cgroup/memory");
  });

  test("v2 with systemd's named v1 tree beside it is v2", () => {
    const found = layout(
      line("/sys/fs/cgroup/systemd", "cgroup", "rw,xattr,name=systemd"),
      line("/sys/fs/cgroup", "cgroup2", "rw"),
    );
    expect(found.version).toBe(2);
  });

  test("none is a fault that says what to do", () => {
    expect(() => layout(line("/proc", "proc", "rw"))).toThrow("mount -t cgroup2");
  });
});
