import { describe, expect, test } from "bun:test";
import { createStyle } from "../style.ts";
import { emptyModel } from "./model.ts";
import { model, pressed } from "./testing.ts";
import { drawn } from "./view.ts";

describe("the picture", () => {
  const plain = createStyle(false);
  const sizes = [
    [24, 100],
    [12, 40],
    [6, 24],
    [50, 200],
    [3, 10],
    [1, 1],
  ] as const;
  const states = [[], ["x"], ["d"], ["enter"], ["tab"], ["3"]];

  test.each(sizes)("fills %d rows of %d columns in every state, and no more", (rows, columns) => {
    for (const keys of states) {
      const lines = drawn(pressed(keys).model, { rows, columns }, plain);
      expect(lines).toHaveLength(rows);
      for (const line of lines) expect(Bun.stringWidth(line)).toBe(columns);
    }
  });

  test("without colours the chosen item has a mark, with them there are escapes", () => {
    const text = drawn(model, { rows: 24, columns: 100 }, plain).join("\n");
    expect(text).toContain("> web");
    expect(text).not.toContain("\u001b");
    expect(text).toContain("1 containers (3)");
    expect(text).toContain("[logs] stats why web");
    expect(text).toContain("second");
    expect(drawn(model, { rows: 24, columns: 100 }, createStyle(true)).join("")).toContain(
      "\u001b[",
    );
  });

  test("the menu and the question stand over the lists", () => {
    const shown = (keys: readonly string[]) =>
      drawn(pressed(keys).model, { rows: 24, columns: 100 }, plain).join("\n");
    expect(shown(["x"])).toContain("> e  shell");
    expect(shown(["d"])).toContain("remove web?");
  });

  test("an empty engine and a small terminal are shown as well", () => {
    const text = drawn(emptyModel, { rows: 24, columns: 100 }, plain).join("\n");
    expect(text).toContain("1 containers (0)");
    expect(drawn(model, { rows: 3, columns: 30 }, plain)[0]).toContain("too small");
  });
});
