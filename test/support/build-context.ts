import {
  chmodSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TarMember, tarOf } from "./tree.ts";

const member = { mtime: 1_000_000_000_000_000_000n };

const time = (day: string) => Date.parse(`${day}T00:00:00Z`) / 1000;

/** Makes the directory that all builds of the conformance test have as their context. */
export function makeBuildContext(root: string): void {
  for (const path of ["d/sub", "e", "empty", "odd/d.d"])
    mkdirSync(join(root, path), { recursive: true });
  const files: Readonly<Record<string, string>> = {
    ...{ "a.txt": "a\n", "b.txt": "b\n", "run.sh": "#!/bin/sh\necho run\n", "d/x": "x\n" },
    ...{ "d/sub/y.txt": "y\n", "d/sub/z.bin": "z\0z", "e/only": "", "not.tar": "no archive" },
    ...{ "odd/sp ace": "s", "odd/[1]": "1", "odd/*": "star", "odd/é": "e", "odd/d.d/in": "in" },
  };
  for (const [path, content] of Object.entries(files)) writeFileSync(join(root, path), content);
  const owned = { ...member, uid: 5, gid: 6 };
  const archive = tarOf([
    { ...owned, name: "./", type: "directory", mode: 0o700 },
    { ...owned, name: "in/", type: "directory", mode: 0o750 },
    { ...owned, name: "in/file", content: "archived\n", mode: 0o640 },
    { ...owned, name: "in/link", type: "symlink", linkName: "../else" },
    { ...owned, name: "in/hard", type: "hardlink", mode: 0o640, linkName: "in/file" },
  ]);
  writeFileSync(join(root, "plain.tar"), archive);
  writeFileSync(join(root, "packed.tgz"), Bun.gzipSync(Uint8Array.from(archive)));
  writeFileSync(join(root, "packed.zst"), Bun.zstdCompressSync(archive));
  writeFileSync(join(root, "text.gz"), Bun.gzipSync(Buffer.from("text")));
  linkSync(join(root, "a.txt"), join(root, "hard"));
  symlinkSync("d", join(root, "dl"));
  symlinkSync("a.txt", join(root, "al"));
  symlinkSync("sub/y.txt", join(root, "d/yl"));
  chmodSync(join(root, "run.sh"), 0o755);
  chmodSync(join(root, "b.txt"), 0o600);
  chmodSync(join(root, "d/x"), 0o4750);
  chmodSync(join(root, "e"), 0o2750);
  const paths = readdirSync(root, { recursive: true, encoding: "utf8" }).toSorted().toReversed();
  for (const [index, path] of paths.entries()) {
    lutimesSync(join(root, path), time("2020-01-01"), time("2020-01-01") + index * 86_400);
  }
}

/** `cap_net_bind_service=ep`, as the kernel keeps it (VFS_CAP_REVISION_2 of linux/capability.h). */
const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");

/** Archives that show how ADD unpacks: what they hold besides plain files, and where their names lead. */
const archives: Readonly<Record<string, readonly TarMember[]>> = {
  xattrs: [
    {
      name: "capable",
      content: "x",
      mode: 0o755,
      xattrs: new Map([["security.capability", capability]]),
    },
    { name: "noted", content: "y", xattrs: new Map([["user.note", Buffer.from("hello")]]) },
  ],
  long: [
    { name: `${"n".repeat(120)}/${"m".repeat(120)}/${"o".repeat(120)}`, content: "deep" },
    { name: "link", type: "symlink", linkName: "t".repeat(150) },
    { name: "num", content: "n", uid: 3_000_000, gid: 3_000_001 },
  ],
  special: [
    { name: "pipe", type: "fifo", mode: 0o600 },
    { name: "null", type: "character", mode: 0o640, device: { major: 1, minor: 3 } },
    { name: "block", type: "block", mode: 0o640, device: { major: 7, minor: 0 } },
    { name: "sticky/", type: "directory", mode: 0o1777 },
    { name: "suid", content: "s", mode: 0o6755 },
  ],
  climbs: [{ name: "../../../climbed", content: "c" }],
  through: [
    { name: "link", type: "symlink", linkName: "/elsewhere" },
    { name: "link/file", content: "f" },
  ],
  absolute: [{ name: "/abs/file", content: "f" }],
  twice: [
    { name: "f", content: "first" },
    { name: "f", content: "second", mode: 0o600 },
    { name: "d", content: "a file first" },
    { name: "d/", type: "directory", mode: 0o750 },
    { name: "d/in", content: "i" },
  ],
  whiteouts: [
    { name: ".wh.passwd", content: "" },
    { name: "other", content: "o" },
  ],
  bare: [{ name: "a/b/c", content: "c", uid: 5, gid: 6 }],
  empty: [],
};

/** A context of archives. */
export function makeArchiveContext(root: string): void {
  for (const [name, members] of Object.entries(archives)) {
    const bytes = tarOf(members.map((each) => ({ ...member, ...each })));
    writeFileSync(join(root, `${name}.tar`), bytes);
  }
  const whole = tarOf([{ ...member, name: "file", content: "z".repeat(4000) }]);
  writeFileSync(join(root, "short.tar"), whole.subarray(0, 2000));
  const xz = Bun.spawnSync(["xz", "-c"], {
    stdin: tarOf([{ ...member, name: "x", content: "xz" }]),
  });
  writeFileSync(join(root, "packed.txz"), xz.stdout);
}
