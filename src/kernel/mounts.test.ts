import { expect, test } from "bun:test";
import {
  legacyData,
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MS_NOATIME,
  MS_RDONLY,
  splitMountOptions,
} from "./mounts.ts";

test("options of the mount part from those of the file system", () => {
  expect(splitMountOptions(["ro", "lowerdir+=/a", "noatime", "volatile"])).toEqual({
    set: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME,
    clear: MOUNT_ATTR__ATIME,
    legacy: MS_RDONLY | MS_NOATIME,
    recursive: false,
    rest: ["lowerdir+=/a", "volatile"],
  });
});

test("the last of two contraries wins", () => {
  const { set, clear, recursive } = splitMountOptions(["rbind", "ro", "nosuid", "rw"]);
  expect([set, clear, recursive]).toEqual([MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, true]);
  const again = splitMountOptions(["rw", "ro"]);
  expect([again.set, again.clear]).toEqual([MOUNT_ATTR_RDONLY, 0]);
});

test("layers are joined for mount(2), with its special characters escaped", () => {
  const options = ["lowerdir+=/l/a:b", "upperdir=/u,v", "lowerdir+=/l/c,d\\e", "workdir=/w"];
  expect(legacyData(options)).toBe("lowerdir=/l/a\\:b:/l/c\\,d\\\\e,upperdir=/u\\,v,workdir=/w");
  expect(legacyData(["size=1m"])).toBe("size=1m");
});
