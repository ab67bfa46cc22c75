import { describe, expect, test } from "bun:test";
import { parseAccessRules } from "./access-rules.ts";

const may = (rules: string, user: string | undefined, repository: string) =>
  [...parseAccessRules(rules).allowed(user, repository)].sort().join(",");

describe("access rules", () => {
  const rules = `
# nothing here
*        public/*        pull          # anybody
@users   base/*          pull
alice    team/*,tools    push,delete
root     *               *,admin
`;

  test("without a rule nothing is allowed", () => {
    expect(may("", "alice", "team/app")).toBe("");
    expect(may(rules, undefined, "team/app")).toBe("");
    expect(may(rules, undefined, "base/debian")).toBe("");
    expect(may(rules, "bob", "tools")).toBe("");
  });

  test("rules add up: for everybody, for users, for one", () => {
    expect(may(rules, undefined, "public/a/b")).toBe("pull");
    expect(may(rules, "bob", "base/debian")).toBe("pull");
    expect(may(rules, "alice", "team/app")).toBe("delete,pull,push");
    expect(may(rules, "alice", "tools")).toBe("delete,pull,push");
    expect(may(rules, "root", "anything")).toBe("admin,delete,pull,push");
  });

  test("only who has admin is admin", () => {
    const parsed = parseAccessRules(rules);
    expect([parsed.isAdmin("root"), parsed.isAdmin("alice"), parsed.isAdmin(undefined)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test.each([
    ["team/*", "team", false],
    ["team/*", "team/", true],
    ["team/*", "xteam/a", false],
    ["*/app", "a/b/app", true],
    ["*/app", "app", false],
    ["a*b*c", "abc", true],
    ["a*b*c", "a/bb/c", true],
    ["a*b*c", "acb", false],
    ["ab*ba", "aba", false],
    ["a.b", "axb", false],
    ["**", "x", true],
  ])("%s on %s: %p", (pattern, repository, expected) => {
    expect(may(`* ${pattern} pull`, undefined, repository) === "pull").toBe(expected);
  });

  test("many stars take no longer than few", () => {
    const rule = `* ${"a*".repeat(60)}b pull`;
    expect(may(rule, undefined, "a".repeat(255))).toBe("");
  });

  test.each([
    ["alice team/*", "it has 2 fields instead of 3"],
    ["alice team/* pull push", "it has 4 fields instead of 3"],
    ["alice team/* read", '"read" is not an action'],
    ["alice team/* constructor", '"constructor" is not an action'],
    ["alice Team/* pull", '"Team/*" cannot match a repository'],
    ["alice, team/* pull", '"alice," has an empty item'],
  ])("%s is refused with its line", (line, why) => {
    expect(() => parseAccessRules(`# first\n${line}`, "rules")).toThrow(
      `rules, line 2: "${line}": ${why}`,
    );
  });
});
