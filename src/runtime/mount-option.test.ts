import { describe, expect, test } from "bun:test";
import { attributeNames, parseMountOptions } from "./mount-option.ts";

const parse = (...options: readonly string[]) => parseMountOptions(options, "mounts[0].options");

describe("mount options", () => {
  test("attributes as bits of linux/mount.h", () => {
    expect(parse("ro", "nosuid", "nodev", "noexec").attributes).toEqual({ set: 0xf, clear: 0 });
    expect(parse("noatime", "nodiratime").attributes).toEqual({ set: 0x90, clear: 0x70 });
    expect(parse("strictatime").attributes).toEqual({ set: 0x20, clear: 0x70 });
  });

  test("the later one wins", () => {
    expect(parse("ro", "rw").attributes).toEqual({ set: 0, clear: 1 });
    expect(parse("rw", "ro").attributes).toEqual({ set: 1, clear: 0 });
    expect(parse("noatime", "relatime").attributes).toEqual({ set: 0, clear: 0x70 });
  });

  test("an r before an attribute means the whole tree; rw, relatime and rprivate mean themselves", () => {
    expect(parse("rbind", "rro").recursiveAttributes).toBe(true);
    expect(parse("rbind", "rro").attributes.set).toBe(1);
    expect(parse("rrelatime").recursiveAttributes).toBe(true);
    expect(parse("rw", "relatime", "rprivate", "rbind").recursiveAttributes).toBe(false);
  });

  test("binds and propagation", () => {
    expect(parse("rbind", "rslave")).toMatchObject({ bind: "rbind", propagation: "slave" });
    expect(parse("bind")).toMatchObject({ bind: "bind", data: [] });
    expect(parse("defaults")).toMatchObject({ bind: "none", data: [] });
  });

  test("the rest is the file system's, in order", () => {
    expect(parse("size=64k", "sync", "mode=755", "context=a=b", "volatile").data).toEqual([
      ["size", "64k"],
      ["sync", null],
      ["mode", "755"],
      ["context", "a=b"],
      ["volatile", null],
    ]);
    expect(() => parse("=x")).toThrow("mounts[0].options");
  });

  test("bits have names again", () => {
    const options = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow"];
    expect(attributeNames(parse(...options).attributes.set)).toEqual(options);
  });
});
