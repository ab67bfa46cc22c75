import { describe, expect, test } from "bun:test";
import { outcome, rejection } from "../base/testing.ts";
import type { Context } from "./context.ts";
import {
  alignColumns,
  type FormatFlags,
  type Listing,
  printListing,
  userTemplate,
} from "./listing.ts";
import { createStyle } from "./style.ts";
import { MemorySink } from "./testing.ts";

const listing = {
  table: "table {{.ID}}\t{{.Names}}",
  heads: { ID: "CONTAINER ID", Names: "NAMES" },
  rows: [
    { ID: "aaaaaaaaaaaa", Names: "web", Label: (key: unknown) => `label ${key}` },
    { ID: "bb", Names: "db" },
  ],
};

async function print(
  flags: Partial<FormatFlags>,
  colours = false,
  rows: Listing["rows"] = listing.rows,
  isTerminal = false,
): Promise<string> {
  const out = new MemorySink({ isTerminal });
  const context = { out, style: createStyle(colours) } as unknown as Context;
  await printListing(context, { ...listing, rows }, { format: undefined, json: false, ...flags });
  return out.text;
}

const table = "CONTAINER ID   NAMES\naaaaaaaaaaaa   web\nbb             db\n";

describe("printListing", () => {
  test("a table by default, and when asked for", async () => {
    expect(await print({})).toBe(table);
    expect(await print({ format: "" })).toBe(table);
    expect(await print({ format: "table" })).toBe(table);
  });

  test("a table of one's own, with tabs as a shell passes them on", async () => {
    expect(await print({ format: "table {{.Names}}\\t{{upper .ID}}" })).toBe(
      "NAMES     CONTAINER ID\nweb       AAAAAAAAAAAA\ndb        BB\n",
    );
  });

  test("one JSON object a line, without methods, keys in order", async () => {
    const lines = '{"ID":"aaaaaaaaaaaa","Names":"web"}\n{"ID":"bb","Names":"db"}\n';
    expect(await print({ json: true })).toBe(lines);
    expect(await print({ format: "json" })).toBe(lines);
    expect(await print({ format: "{{json .}}" })).toBe(lines);
  });

  test("the text of a cell cannot move the terminal", async () => {
    const evil = [{ ID: "a", Names: "\u001b[2Jgone" }];
    expect(await print({}, false, evil)).toEndWith("a              \\u001b[2Jgone\n");
    const format = "table {{.}} {{range $k, $v := .}}{{$v}}{{end}} {{lower .Names}}";
    expect(await print({ format }, false, evil)).not.toContain("\u001b");
  });

  test("nor can the output of a template, though a program gets it as it is", async () => {
    const evil = [{ ID: "a", Names: "\u001b[2Jgone" }];
    const format = "{{.ID}} {{.Names}}";
    expect(await print({ format }, false, evil, true)).toBe("a \\u001b[2Jgone\n");
    expect(await print({ format }, false, evil, false)).toBe("a \u001b[2Jgone\n");
  });

  test("a field of a row is computed for those who print it", async () => {
    const dear = {
      ID: "a",
      get Names(): string {
        throw new Error("was computed");
      },
    };
    expect(await print({ format: "table {{.ID}}" }, false, [dear])).toBe("CONTAINER ID\na\n");
    expect(await outcome(print({}, false, [dear]))).toThrow("was computed");
  });

  test("a template for each row", async () => {
    expect(await print({ format: "{{.Names}}\\n-" })).toBe("web\n-\ndb\n-\n");
  });

  test("a wrong template is the user's mistake, before anything is printed", async () => {
    expect(await outcome(print({ format: "{{.Name}}" }))).toThrow("did you mean .Names?");
    expect(await rejection(print({ format: "{{.Names" }))).toMatchObject({ status: 1 });
  });

  test("the head is bold where there are colours", async () => {
    expect(await print({}, true)).toStartWith("\x1b[1mCONTAINER ID   NAMES\x1b[22m\n");
  });
});

test("columns are ten wide at least and three apart, the last one as it is", () => {
  expect(
    alignColumns([
      ["a", "b", "c  "],
      ["12345678", "", "x"],
    ]),
  ).toEqual(["a          b         c  ", "12345678             x"]);
  expect(alignColumns([])).toEqual([]);
});

test("a template of inspect is checked when it is compiled and when it is used", () => {
  expect(() => userTemplate("{{")).toThrow("template: unclosed action");
  expect(() => userTemplate("{{.X}}")({})).toThrow("template: can't evaluate field X");
});
