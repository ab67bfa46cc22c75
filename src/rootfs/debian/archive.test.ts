import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { arOf, makeDeb } from "../../../test/support/debian-repository.ts";
import { outcome } from "../../base/testing.ts";
import { findData } from "./archive.ts";

let path: string;

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), "thimble-deb-")), "x.deb");
});

afterEach(() => rmSync(join(path, ".."), { recursive: true }));

const version = ["debian-binary", Buffer.from("2.0\n")] as const;
const refused = async (bytes: Uint8Array, why: string) => {
  writeFileSync(path, bytes);
  expect(await outcome(findData(path))).toThrow(why);
};

test("the data member of a package", async () => {
  writeFileSync(path, makeDeb({ name: "a", files: { "usr/bin/a": "content" } }));
  const { offset, size, compression } = await findData(path);
  expect(compression).toBe("gzip");
  const tar = gunzipSync(readFileSync(path).subarray(offset, offset + size));
  expect(tar.toString("latin1")).toContain("content");
});

test("each compression by its name; members of odd length are padded", async () => {
  const cases = [
    ["", "none"],
    [".xz", "xz"],
    [".zst", "zstd"],
  ] as const;
  for (const [suffix, compression] of cases) {
    const odd = ["_odd", Buffer.from("123")] as const;
    writeFileSync(path, arOf([version, odd, [`data.tar${suffix}`, Buffer.from("data")]]));
    const found = await findData(path);
    expect(found.compression).toBe(compression);
    const bytes = readFileSync(path).subarray(found.offset, found.offset + found.size);
    expect(bytes.toString()).toBe("data");
  }
});

test("files that are not packages", async () => {
  await refused(Buffer.from("PK"), "not an ar archive");
  await refused(arOf([version]), "no data.tar");
  await refused(arOf([["control.tar", Buffer.alloc(0)]]), "debian-binary");
  await refused(arOf([["debian-binary", Buffer.from("3.0\n")]]), "debian-binary");
  await refused(arOf([version, ["data.tar.lzma", Buffer.alloc(4)]]), "not known here");
  const whole = arOf([version, ["data.tar.xz", Buffer.alloc(100)]]);
  await refused(whole.subarray(0, whole.length - 50), "cut short");
  await refused(whole.subarray(0, 90), "cut short");
});

test("no bytes make it throw anything but a Fault", async () => {
  const whole = makeDeb({ name: "a", files: { a: "a" } });
  for (let at = 0; at < 140; at++) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 0x15;
    writeFileSync(path, changed);
    const outcome = await findData(path).catch((error: unknown) => error);
    if (outcome instanceof Error) expect(outcome.name).toBe("Fault");
  }
});
