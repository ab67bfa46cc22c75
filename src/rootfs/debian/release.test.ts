import { expect, test } from "bun:test";
import { checkRelease, parseRelease } from "./release.ts";

const sum = "a".repeat(64);
const text = `Origin: Debian
Suite: oldstable
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC
Acquire-By-Hash: yes
No-Support-for-Architecture-all: Packages
Architectures: all amd64
Components: main contrib
MD5Sum:
 d41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages
SHA256:
 ${sum}  9173548 main/binary-amd64/Packages.xz
 short 1 main/nonsense
`;

const now = new Date("2026-07-15T00:00:00Z");
const expected = { suite: "bookworm", about: "InRelease", now, checkValidUntil: true };

test("fields and hashes", () => {
  const release = parseRelease(text, "InRelease");
  expect(release).toMatchObject({
    suite: "oldstable",
    codename: "bookworm",
    date: new Date("2026-07-11T10:16:37Z"),
    byHash: true,
    separateAll: false,
    architectures: ["all", "amd64"],
  });
  expect([...release.files]).toEqual([
    ["main/binary-amd64/Packages.xz", { sha256: sum, size: 9173548 }],
  ]);
});

test("an index of its own for architecture all", () => {
  expect(parseRelease(text.replace(/No-Support.*\n/, ""), "InRelease").separateAll).toBe(true);
});

test("releases that cannot be used", () => {
  const parse = (changed: string) => () => parseRelease(changed, "R");
  expect(parse(text.replace(/Date: .*/, "Date: soon"))).toThrow("date is not a date: soon");
  expect(parse(text.replace(/^Date: .*\n/m, ""))).toThrow("no Date field");
  expect(parse(text.replace("SHA256", "SHA1"))).toThrow("no SHA256 sums");
});

test("is taken under its suite's and its code name, until it expires", () => {
  const release = parseRelease(text, "InRelease");
  checkRelease(release, expected);
  checkRelease(release, { ...expected, suite: "oldstable" });
  expect(() => checkRelease(release, { ...expected, suite: "trixie" })).toThrow("not trixie");
  const later = { ...expected, now: new Date("2026-08-01T00:00:00Z") };
  expect(() => checkRelease(release, later)).toThrow("expired at 2026-07-18");
  checkRelease(release, { ...later, checkValidUntil: false });
});
