import { describe, expect, test } from "bun:test";
import { type Random, random, rounds } from "../../base/testing.ts";
import { compareVersions, satisfies } from "./version.ts";

/** Each older than the next; from Debian Policy 5.6.12, deb-version(7) and dpkg's own tests. */
const ascending = [
  "0:0~~",
  "0~~a",
  "0~",
  "0",
  "0a",
  "1.0~beta1~svn1245",
  "1.0~beta1",
  "1.0",
  "1.0-1",
  "1.0-1+b1",
  "1.0-1+deb12u1",
  "1.0-1+deb12u10",
  "1.0a",
  "1.0+dfsg",
  "1.0.1",
  "1.2",
  "1.10",
  "2.36-9",
  "20231231235959123456-1",
  "20231231235959123457-1",
  "1:0.1",
  "10:0",
];

describe("compareVersions", () => {
  test("orders what the policy orders", () => {
    for (const [i, a] of ascending.entries())
      for (const [j, b] of ascending.entries())
        expect({ a, b, order: Math.sign(compareVersions(a, b)) }).toEqual({
          a,
          b,
          order: Math.sign(i - j),
        });
  });

  test("other spellings of the same version are equal", () => {
    for (const [a, b] of [
      ["1.0", "0:1.0"],
      ["1.0", "1.0-0"],
      ["1.0", "1.00"],
      ["1.a", "1.a0"],
      ["0:0-0", "0"],
    ] as const)
      expect({ a, b, order: compareVersions(a, b) }).toEqual({ a, b, order: 0 });
  });

  test("is a total order on whatever version there may be", () => {
    const next = random(20240229);
    const versions = Array.from({ length: rounds(25, 200) }, () => randomVersion(next));
    for (const a of versions) {
      expect(compareVersions(a, a)).toBe(0);
      for (const b of versions) {
        const forward = Math.sign(compareVersions(a, b));
        expect(Math.sign(compareVersions(b, a)) + forward).toBe(0);
        for (const c of versions)
          if (forward <= 0 && compareVersions(b, c) <= 0)
            expect({ a, b, c, ordered: compareVersions(a, c) <= 0 }).toEqual({
              a,
              b,
              c,
              ordered: true,
            });
      }
    }
  });

  test("a tilde makes older, a further part newer", () => {
    const next = random(7);
    for (let i = rounds(200, 20_000); i > 0; i--) {
      const version = randomVersion(next);
      expect(compareVersions(`${version}~x`, version)).toBeLessThan(0);
      expect(compareVersions(`${version}+x`, version)).toBeGreaterThan(0);
    }
  });
});

test("satisfies knows the five relations", () => {
  const holds = (["<<", "<=", "=", ">=", ">>"] as const).map((relation) =>
    ["1.0", "1.1", "1.2"].map((version) => satisfies(version, relation, "1.1")),
  );
  expect(holds).toEqual([
    [true, false, false],
    [true, true, false],
    [false, true, false],
    [false, true, true],
    [false, false, true],
  ]);
});

function randomVersion(next: Random): string {
  const pick = (letters: string) => letters[next(letters.length)] ?? "";
  const part = () => Array.from({ length: 1 + next(4) }, () => pick("0019az.+~")).join("");
  const epoch = next(3) === 0 ? `${next(3)}:` : "";
  return `${epoch}${next(3)}${part()}${next(2) === 0 ? `-${part()}` : ""}`;
}
