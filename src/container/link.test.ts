import { expect, test } from "bun:test";
import { rejection } from "../base/testing.ts";
import { parseLink } from "./link.ts";

test.each([
  ["db", "db", "db"],
  ["db:mysql", "db", "mysql"],
  ["0123456789ab:mysql.lan", "0123456789ab", "mysql.lan"],
  ["/db:/web/mysql", "db", "mysql"],
])("the link %p is to %s under %s", (text, name, alias) => {
  expect(parseLink(text)).toEqual({ name, alias });
});

test("an empty link is refused", () => {
  expect(() => parseLink("")).toThrow("empty string specified for links");
});

test.each([
  ":",
  "db:",
  ":db",
  "a:b:c",
  "db:my sql",
  "db:x\n127.0.0.1 host",
  "db:a/b",
  "db:#",
  "db:a..b",
  `db:${"x".repeat(64)}`,
  "db:ü",
])("the link %p is refused", async (text) => {
  const refused = await rejection(Promise.try(() => parseLink(text)));
  expect(refused).toMatchObject({ code: "invalid", message: `bad format for links: ${text}` });
});
