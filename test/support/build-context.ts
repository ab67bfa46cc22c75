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
import { tarOf } from "./tree.ts";

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
  const member = { uid: 5, gid: 6, mtime: 1_000_000_000_000_000_000n };
  const archive = tarOf([
    { ...member, name: "./", type: "directory", mode: 0o700 },
    { ...member, name: "in/", type: "directory", mode: 0o750 },
    { ...member, name: "in/file", content: "archived\n", mode: 0o640 },
    { ...member, name: "in/link", type: "symlink", linkName: "../else" },
    { ...member, name: "in/hard", type: "hardlink", mode: 0o640, linkName: "in/file" },
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
