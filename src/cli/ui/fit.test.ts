import { expect, test } from "bun:test";
import { fit } from "./fit.ts";

test("a text is cut and filled by the columns that it takes, and moves no terminal", () => {
  expect(fit("abc", 5)).toBe("abc  ");
  expect(fit("abcdef", 4)).toBe("abc…");
  expect(fit("漢字漢字", 5)).toBe("漢字…");
  expect(fit("漢字漢字", 4)).toBe("漢… ");
  expect(fit("\u001b[31mred\u001b[0m", 4)).toBe("red ");
  expect(fit("\u001b]0;title\u0007", 40)).toContain("\\u001b]0;title\\u0007");
});
