import { expect, test } from "bun:test";
import { checkTmpfsOptions, ociTmpfs, tmpfsOfMount } from "./tmpfs-mount.ts";

test.each([
  "",
  "size=64m,mode=1777,uid=5,gid=6,exec",
  "ro,rw,suid,dev,noatime,nr_inodes=1k,nr_blocks=5,size=50%",
  "noswap,huge=within_size,mpol=bind:0-3,inode64",
])("the options %j are those of a tmpfs", (options) => {
  expect(() => checkTmpfsOptions(options)).not.toThrow();
});

test.each([
  ["foo", '"foo"'],
  ["foo=1", '"foo"'],
  ["size", '"size"'],
  ["size=", '"size="'],
  ["size=x", '"size=x"'],
  ["size=-1", '"size=-1"'],
  ["mode=9", '"mode=9"'],
  ["uid=x", '"uid=x"'],
  ["exec=1", '"exec"'],
  // Would be another mount.
  ["bind", '"bind"'],
  ["remount", '"remount"'],
  ["constructor", '"constructor"'],
])("the option %j is refused", (options, named) => {
  expect(() => checkTmpfsOptions(options)).toThrow(`invalid tmpfs option ${named}`);
});

test("an entry of Mounts has its options, the later ones winning", () => {
  const TmpfsOptions = {
    ...{ SizeBytes: 1024, Mode: 0o700 },
    Options: [["exec"], ["uid", "5"]],
  };
  const mount = tmpfsOfMount({ Type: "tmpfs", Target: "/t", ReadOnly: true, TmpfsOptions });
  expect(mount).toEqual({ target: "/t", options: "ro,size=1024,mode=700,exec,uid=5" });
  expect(ociTmpfs(mount).options).toEqual([
    ...["noexec", "nosuid", "nodev", "ro", "size=1024", "mode=700", "exec", "uid=5"],
  ]);
});

test.each([
  [[[]], "invalid option array length"],
  [[["a", "b", "c"]], "invalid option array length"],
  [[["foo"]], "invalid option: foo"],
  [[["uid", "x"]], "invalid option: uid"],
  [[["exec,size=1"]], "invalid option: exec,size=1"],
  [[[""]], "invalid option: "],
])("the options %j of an entry of Mounts are refused", (Options, why) => {
  expect(() => tmpfsOfMount({ Type: "tmpfs", Target: "/t", TmpfsOptions: { Options } })).toThrow(
    `invalid mount config for type "tmpfs": ${why}`,
  );
});
