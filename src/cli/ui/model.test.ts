import { describe, expect, test } from "bun:test";
import { chosenItem, press } from "./model.ts";
import { item, pressed } from "./testing.ts";

describe("keys change what is shown", () => {
  test("arrows choose, and stop at the ends; tab goes to the next list", () => {
    expect(chosenItem(pressed(["down"]).model)?.name).toBe("db");
    expect(chosenItem(pressed(["up"]).model)?.name).toBe("web");
    expect(chosenItem(pressed(["down", "down", "down", "down"]).model)?.name).toBe("old");
    expect(pressed(["tab"]).model.panel).toBe("images");
    expect(pressed(["back-tab"]).model.panel).toBe("volumes");
    expect(pressed(["3"]).model.panel).toBe("volumes");
    expect(pressed(["]", "]", "]"]).model.tab).toBe("logs");
  });

  test("an item that is gone gives way to the first", () => {
    const { model: chosen } = pressed(["down"]);
    const lists = { ...chosen.lists, containers: [item("new")] };
    expect(chosenItem({ ...chosen, lists })?.name).toBe("new");
    expect(chosenItem({ ...chosen, lists: { ...lists, containers: [] } })).toBeUndefined();
  });

  test("enter scrolls the lines, escape goes back", () => {
    const { model: scrolled } = pressed(["enter", "up", "up", "up"]);
    expect(scrolled).toMatchObject({ focus: "lines", scrolled: 1 });
    expect(press(scrolled, "escape").model).toMatchObject({ focus: "list", scrolled: 0 });
  });

  test("letters act, by themselves and in the menu; what cannot be undone is asked", () => {
    const acts = (keys: readonly string[]) =>
      pressed(keys).effects.map((each) => (each.kind === "act" ? each.action : each.kind));
    expect(acts(["s"])).toEqual(["stop"]);
    expect(acts(["e"])).toEqual(["shell"]);
    expect(acts(["x", "down", "enter"])).toEqual(["stop"]);
    expect(acts(["x", "escape", "q"])).toEqual(["quit"]);
    expect(acts(["d", "n"])).toEqual([]);
    expect(acts(["d", "y"])).toEqual(["remove"]);
    expect(acts(["down", "down", "s", "r"])).toEqual(["start"]);
    expect(acts(["2", "s", "d", "enter"])).toEqual(["remove"]);
    expect(acts(["d", "ctrl-c"])).toEqual(["quit"]);
  });
});
