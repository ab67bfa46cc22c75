import type { TerminalSize } from "../context.ts";
import type { Style } from "../style.ts";
import { fit } from "./fit.ts";
import { choicesOf, chosenItem, type Item, type Model, type Panel, panels, tabs } from "./model.ts";

/** The smallest terminal in which something can be read. */
const least: TerminalSize = { rows: 6, columns: 24 };
/** From here on lists and lines stand beside each other. */
const wide = 70;

/** The whole screen, a text for each row; every one fills it. */
export function drawn(model: Model, size: TerminalSize, style: Style): readonly string[] {
  const { rows, columns } = size;
  if (rows < least.rows || columns < least.columns)
    return Array.from({ length: rows }, (_, row) =>
      fit(row === 0 ? "the terminal is too small" : "", columns),
    );
  const height = rows - 1;
  const left = columns < wide ? columns : Math.max(28, Math.floor(columns / 3));
  const body =
    columns >= wide
      ? beside(
          listBoxes(model, { rows: height, columns: left }, style),
          linesBox(model, { rows: height, columns: columns - left }, style),
        )
      : model.focus === "lines"
        ? linesBox(model, { rows: height, columns }, style)
        : listBoxes(model, { rows: height, columns }, style);
  const whole = [...withMenu(model, body, size, style), bottom(model, columns, style)];
  return whole;
}

function beside(left: readonly string[], right: readonly string[]): readonly string[] {
  return left.map((line, row) => line + (right[row] ?? ""));
}

/** The chosen list has the rows that the others do not need. */
function listBoxes(model: Model, { rows, columns }: TerminalSize, style: Style): readonly string[] {
  const small = rows < panels.length * 4 ? 0 : Math.max(3, Math.floor(rows / 5));
  if (small === 0) return listBox(model, model.panel, { rows, columns }, style);
  return panels.flatMap((panel) => {
    const others = small * (panels.length - 1);
    const height = panel === model.panel ? rows - others : small;
    return listBox(model, panel, { rows: height, columns }, style);
  });
}

function listBox(
  model: Model,
  panel: Panel,
  { rows, columns }: TerminalSize,
  style: Style,
): readonly string[] {
  const list = model.lists[panel];
  const chosen = chosenItem(model, panel);
  const isActive = panel === model.panel && model.focus === "list";
  const shown = rows - 2;
  const at = chosen ? list.indexOf(chosen) : 0;
  const from = Math.max(0, Math.min(at - Math.floor(shown / 2), list.length - shown));
  const lines = list
    .slice(from, from + shown)
    .map((item) => itemLine(item, item === chosen && panel === model.panel, columns - 2, style));
  const title = `${panels.indexOf(panel) + 1} ${panel} (${list.length})`;
  return box(title, lines, { rows, columns, isActive }, style);
}

function itemLine(item: Item, isChosen: boolean, width: number, style: Style): string {
  const detail = fit(item.detail, Math.min(Bun.stringWidth(item.detail), Math.floor(width / 2)));
  const name = fit(`${isChosen ? "> " : "  "}${item.name}`, width - Bun.stringWidth(detail) - 1);
  if (isChosen) return style.bold(style.cyan(`${name} ${detail}`));
  const paint = item.state === "running" ? style.green : item.state === "" ? plain : style.dim;
  return `${name} ${paint(detail)}`;
}

const plain = (text: string) => text;

function linesBox(model: Model, { rows, columns }: TerminalSize, style: Style): readonly string[] {
  const item = chosenItem(model);
  const title =
    model.panel === "containers"
      ? tabs.map((tab) => (tab === model.tab ? `[${tab}]` : tab)).join(" ")
      : "info";
  const shown = rows - 2;
  const end = Math.max(0, model.lines.length - model.scrolled);
  const lines = model.lines.slice(Math.max(0, end - shown), end);
  const name = item ? ` ${item.name}` : "";
  const text = lines.map((line) => fit(line, columns - 2));
  const isActive = model.focus === "lines";
  return box(`${title}${name}`, text, { rows, columns, isActive }, style);
}

/** @param lines already as wide as the inside */
function box(
  title: string,
  lines: readonly string[],
  { rows, columns, isActive }: TerminalSize & { readonly isActive: boolean },
  style: Style,
): readonly string[] {
  const paint = isActive ? style.green : style.dim;
  const inside = columns - 2;
  const head = fit(title, Math.min(Bun.stringWidth(title), inside - 2));
  const rest = "─".repeat(Math.max(0, inside - 2 - Bun.stringWidth(head)));
  const middle = Array.from({ length: rows - 2 }, (_, row) => lines[row] ?? " ".repeat(inside));
  return [
    paint(`┌─${head}─${rest}┐`),
    ...middle.map((line) => `${paint("│")}${line}${paint("│")}`),
    paint(`└${"─".repeat(inside)}┘`),
  ];
}

/** The menu, or a question, over the middle rows. */
function withMenu(
  model: Model,
  body: readonly string[],
  { columns }: TerminalSize,
  style: Style,
): readonly string[] {
  const item = chosenItem(model);
  const { menu, asked } = model;
  if (!item || (menu === undefined && !asked)) return body;
  const lines = asked
    ? [`${asked} ${item.name}?`, "y: yes, any other key: no"]
    : choicesOf(model.panel, item).map(
        ({ key, action }, at) => `${at === menu ? ">" : " "} ${key}  ${action}`,
      );
  const inner = Math.min(40, columns - 4);
  const size = { rows: lines.length + 2, columns: inner + 2, isActive: true };
  const title = asked ? "sure?" : item.name;
  const shown = box(
    title,
    lines.map((line) => fit(line, inner)),
    size,
    style,
  );
  const from = Math.max(0, Math.floor((body.length - shown.length) / 2));
  const fill = (line: string) => line + " ".repeat(Math.max(0, columns - inner - 2));
  return body.map((line, row) => {
    const over = shown[row - from];
    return over === undefined ? line : fill(over);
  });
}

function bottom(model: Model, columns: number, style: Style): string {
  const keys = "↑↓ choose  tab list  [ ] view  enter scroll  x menu  e shell  q quit";
  return model.message === ""
    ? style.dim(fit(keys, columns))
    : style.yellow(fit(model.message, columns));
}
