import { expect, test } from "bun:test";
import { formatGroup, parseProvides, parseRelation, parseRelations } from "./relation.ts";

test("alternatives, versions and qualifiers", () => {
  expect(
    parseRelations("libc6 (>= 2.36), default-mta | mail-transport-agent,python3:any (<<4)"),
  ).toEqual([
    [{ name: "libc6", version: { relation: ">=", wanted: "2.36" } }],
    [{ name: "default-mta" }, { name: "mail-transport-agent" }],
    [{ name: "python3", qualifier: "any", version: { relation: "<<", wanted: "4" } }],
  ]);
});

test("the old spellings mean what they meant", () => {
  expect(parseRelation("a (< 1)").version?.relation).toBe("<=");
  expect(parseRelation("a (> 1)").version?.relation).toBe(">=");
});

test("an unreadable relation is a name that no package has", () => {
  expect(parseRelation("a (?? 1)")).toEqual({ name: "a (?? 1)" });
});

test("only an exact version is provided", () => {
  expect(parseProvides("a (= 1.0), b")).toEqual([{ name: "a", version: "1.0" }, { name: "b" }]);
});

test("is written as it was read", () => {
  const [group = []] = parseRelations("a:any (>= 1) | b");
  expect(formatGroup(group)).toBe("a:any (>= 1) | b");
});
