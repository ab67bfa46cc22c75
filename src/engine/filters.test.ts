import { expect, test } from "bun:test";
import { booleanFilter, checkFilterKeys, matchesLabels, textTest, untilFilter } from "./filters.ts";

test("labels match by key, or by key and value, all of them", () => {
  const labels = { a: "1", b: "" };
  expect(matchesLabels(labels, ["a", "b="])).toBe(true);
  expect(matchesLabels(labels, ["a=2"])).toBe(false);
  expect(matchesLabels(labels, ["toString"])).toBe(false);
});

test("a pattern matches anywhere, and one that tries without end is refused", () => {
  const isMeant = textTest("w[ei]b$");
  expect(["my-web", "wib", "web-1"].map(isMeant)).toEqual([true, true, false]);
  expect(textTest("(")("(")).toBe(true);
  expect(textTest("(?i)WEB")("web")).toBe(true);
  expect(textTest("w(?=eb)")("web")).toBe(false);
  const endless = textTest("(a+)+$", { budget: 10 });
  const texts = Array.from({ length: 1000 }, () => `${"a".repeat(20)}b`);
  expect(() => texts.filter(endless)).toThrow("takes too long to match");
});

test("an unknown filter is refused", () => {
  expect(() => checkFilterKeys({ labl: ["x"] }, ["label", "until"])).toThrow("'label'");
});

test("truth values", () => {
  expect(booleanFilter({ dangling: ["1"] }, "dangling")).toBe(true);
  expect(booleanFilter({ dangling: ["false"] }, "dangling")).toBe(false);
  expect(booleanFilter({}, "dangling")).toBeUndefined();
  expect(() => booleanFilter({ dangling: ["maybe"] }, "dangling")).toThrow(
    "invalid filter 'dangling=[maybe]'",
  );
});

test.each([
  ["1700000000", 1_700_000_000_000_000_000n],
  ["10m", 2_000_000_000_000_000_000n - 600_000_000_000n],
  ["1h30m", 2_000_000_000_000_000_000n - 5_400_000_000_000n],
  ["2023-11-14T22:13:20Z", 1_700_000_000_000_000_000n],
  ["2023-11-14T23:13:20.5+01:00", 1_700_000_000_500_000_000n],
  ["2023-11-14T22:13Z", 1_699_999_980_000_000_000n],
  ["2023-11-14Z", 1_699_920_000_000_000_000n],
  ["-1s", 2_000_000_001_000_000_000n],
  ["1700000000.25", 1_700_000_000_250_000_000n],
])("until=%s", (value, expected) => {
  expect(untilFilter({ until: [value] }, 2_000_000_000_000_000_000n)).toBe(expected);
});

test("an until that is not a time is refused", () => {
  expect(() => untilFilter({ until: ["soon"] }, 0n)).toThrow(
    'failed to parse value as time or duration: "soon"',
  );
  expect(() => untilFilter({ until: ["1m", "2m"] }, 0n)).toThrow(
    "more than one until filter specified",
  );
});
