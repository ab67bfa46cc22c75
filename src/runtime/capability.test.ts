import { describe, expect, test } from "bun:test";
import {
  capabilityMask,
  capabilityNames,
  chooseCapabilities,
  compileCapabilities,
  defaultCapabilities,
  missingCapabilities,
} from "./capability.ts";

const everything = (1n << 41n) - 1n;
const choose = (options: Partial<Parameters<typeof chooseCapabilities>[0]>) =>
  chooseCapabilities({
    privileged: false,
    add: [],
    drop: [],
    available: everything,
    ...options,
  }).toSorted();
const without = (...names: readonly string[]) =>
  defaultCapabilities.filter((name) => !names.includes(name)).toSorted();

describe("--cap-add and --cap-drop", () => {
  test("the defaults are Docker's 14", () => {
    expect(choose({})).toHaveLength(14);
    expect(capabilityMask(choose({}))).toBe(0xa80425fbn);
  });

  test("names come with and without CAP_, in any case", () => {
    expect(choose({ drop: ["net_raw", "CAP_KILL"] })).toEqual(without("CAP_NET_RAW", "CAP_KILL"));
    expect(choose({ add: ["Sys_Admin"] })).toContain("CAP_SYS_ADMIN");
  });

  // What dockerd 28 does with each of these.
  test("an added capability beats a dropped one, but not with ALL", () => {
    expect(choose({ add: ["KILL"], drop: ["KILL"] })).toEqual(without());
    expect(choose({ add: ["KILL"], drop: ["ALL"] })).toEqual(["CAP_KILL"]);
    expect(choose({ add: ["ALL"], drop: ["KILL"] })).not.toContain("CAP_KILL");
    expect(choose({ add: ["ALL"], drop: ["KILL"] })).toHaveLength(40);
    expect(choose({ privileged: true, drop: ["ALL"] })).toHaveLength(41);
  });

  test("an unknown name is a fault with the nearest one", () => {
    expect(() => choose({ add: ["SYS_ADMN"] })).toThrow("CAP_SYS_ADMIN");
    expect(() => choose({ drop: ["nonsense"] })).toThrow("CAP_NONSENSE");
  });

  test("a named capability that the machine lacks is a fault, a default one is left out", () => {
    const available = everything & ~capabilityMask(["CAP_SYS_RESOURCE", "CAP_MKNOD"]);
    expect(() => choose({ add: ["SYS_RESOURCE"], available })).toThrow("CAP_SYS_RESOURCE");
    expect(choose({ available })).toEqual(without("CAP_MKNOD"));
    expect(choose({ privileged: true, available })).not.toContain("CAP_SYS_RESOURCE");
    expect([...missingCapabilities(available)].toSorted()).toEqual([
      "CAP_MKNOD",
      "CAP_SYS_RESOURCE",
    ]);
  });
});

test("names and masks are each other's inverse, unknown bits included", () => {
  expect(capabilityNames(capabilityMask(defaultCapabilities))).toHaveLength(14);
  expect(capabilityNames(1n << 50n)).toEqual(["CAP_50"]);
  expect(capabilityNames(0n)).toEqual([]);
});

test("sets obey the kernel: effective within permitted, ambient within permitted and inheritable", () => {
  const { masks } = compileCapabilities(
    {
      bounding: ["CAP_KILL"],
      permitted: ["CAP_KILL"],
      effective: ["CAP_KILL", "CAP_CHOWN"],
      inheritable: ["CAP_CHOWN"],
      ambient: ["CAP_KILL", "CAP_CHOWN"],
    },
    everything,
  );
  expect(masks).toEqual({
    bounding: 32n,
    permitted: 32n,
    effective: 32n,
    inheritable: 1n,
    ambient: 0n,
  });
});
