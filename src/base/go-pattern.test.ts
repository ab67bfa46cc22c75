import { expect, test } from "bun:test";
import { goPattern } from "./go-pattern.ts";

// Each was tried with Go's regexp, through the filters of dockerd 28.5.2.
test.each([
  ["(?i)XYZ", "xyz", "ab"],
  ["a(?i:B)c", "abc", "Abc"],
  ["(a(?i)b)C", "aBC", "aBc"],
  ["[[:upper:]]", "aX", "ax"],
  ["[^[:alpha:]_]", "1", "a_"],
  ["\\Aa", "ab", "ba"],
  ["c\\z", "abc", "cb"],
  ["(?P<x>b)", "abc", "ac"],
  ["\\pL", "é", "1"],
  ["\\p{Greek}", "α", "a"],
  ["\\P{L}", "1", "a"],
  ["\\Qa.b\\E$", "a.b", "axb"],
  ["\\x{61}bc", "abc", "bc"],
  ["\\141", "a", "b"],
  ["a{,2}", "a{,2}", "aa"],
  ["^a{2}$", "aa", "a"],
  ["a.c", "a\rc", "a\nc"],
  ["(?s)a.c", "a\nc", "ac"],
  ["[]a]", "]", "b"],
  ["[a\\-z]", "-", "b"],
  ["a/b-c}", "a/b-c}", "ab"],
  ["\\s", "\t", "\u00a0"],
])("%s matches %j and not %j", (source, yes, no) => {
  const pattern = goPattern(source);
  expect([pattern.test(yes), pattern.test(no)]).toEqual([true, false]);
});

test.each([
  ["a(?=b)", "invalid or unsupported Perl syntax: `(?=`"],
  ["(?<!a)b", "invalid or unsupported Perl syntax: `(?<!`"],
  ["(a)\\1", "invalid escape sequence: `\\1`"],
  ["\\Z", "invalid escape sequence: `\\Z`"],
  ["[", "missing closing ]"],
  ["a{1001}", "invalid repeat count: `{1001}`"],
  ["(?U)a", "unsupported flag: `(?U)`"],
  ["a**", "error parsing regexp"],
  ["(", "error parsing regexp"],
  ["a)", "error parsing regexp"],
  ["[[:nosuch:]]", "invalid character class range: `[:nosuch:]`"],
])("%s is refused", (source, why) => {
  expect(() => goPattern(source)).toThrow(why);
});
