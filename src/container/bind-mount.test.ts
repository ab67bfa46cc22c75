import { expect, test } from "bun:test";
import { ociBind } from "./bind-mount.ts";
import { parseMounts } from "./mounts.ts";
import { ociVolume } from "./volume-mount.ts";

const bindOptions = (BindOptions: object, ReadOnly = true) => {
  const { binds } = parseMounts([
    { Type: "bind", Source: "/srv", Target: "/x", ReadOnly, BindOptions },
  ]);
  return binds.map((bind) => ociBind(bind))[0]?.options;
};

test("a read-only bind covers the mounts below, unless they are to stay as they are", () => {
  expect(bindOptions({})).toEqual(["rbind", "rro", "rprivate"]);
  expect(bindOptions({ ReadOnlyForceRecursive: true })).toEqual(["rbind", "rro", "rprivate"]);
  expect(bindOptions({ ReadOnlyNonRecursive: true })).toEqual(["rbind", "ro", "rprivate"]);
  expect(bindOptions({ NonRecursive: true })).toEqual(["bind", "ro", "rprivate"]);
  const conflict = "mount options conflict: !ReadOnly && BindOptions.ReadOnlyNonRecursive";
  expect(() => bindOptions({ ReadOnlyNonRecursive: true }, false)).toThrow(conflict);
  const both = { ReadOnlyNonRecursive: true, ReadOnlyForceRecursive: true };
  expect(() => bindOptions(both)).toThrow("mount options conflict: ReadOnlyNonRecursive && ");
});

test("a volume is bound from its place, read-only with all below", () => {
  const volume = { volume: "v", anonymous: false, target: "/v", mode: "", subpath: "" };
  expect(ociVolume({ ...volume, readonly: true }, "/d/v/_data")).toEqual({
    destination: "/v",
    type: "bind",
    source: "/d/v/_data",
    options: ["rbind", "rro", "rprivate"],
  });
});
