import { formatBytes } from "#base";
import type { Style } from "../style.ts";

/** A cell of a table: numbers stand to the right of their columns. */
export type Cell = string | number;

/** Columns two spaces apart; a column of which the first row's cell is a number is set to the right. The last one is as it is. */
export function columns(head: readonly string[], rows: readonly (readonly Cell[])[], style: Style) {
  if (rows.length === 0) return "";
  const shown = rows.map((row) => row.map((cell) => plain(String(cell))));
  const widths = head.map((title, at) =>
    Math.max(title.length, ...shown.map((row) => (row[at] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => {
        if (isRight(rows, at)) return cell.padStart(widths[at] ?? 0);
        return at === cells.length - 1 ? cell : cell.padEnd(widths[at] ?? 0);
      })
      .join("  ")
      .trimEnd();
  return [style.dim(`  ${line(head)}`), ...shown.map((row) => `  ${line(row)}`)]
    .map((text) => `${text}\n`)
    .join("");
}

const size = /^[\d.,]+ ?(B|kB|MB|GB|TB|%|)$/;

function isRight(rows: readonly (readonly Cell[])[], at: number): boolean {
  return rows.every((row) => size.test(String(row[at] ?? "")) || row[at] === "");
}

/** A title with the text below it; "" when the text is empty. */
export function section(title: string, note: string, body: string, style: Style): string {
  if (body === "") return "";
  return `\n${style.bold(title)}${note === "" ? "" : `  ${style.dim(note)}`}\n${body}`;
}

/** Names come from images: what would steer a terminal is shown as escapes. */
export function plain(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A percentage with one decimal; "" of nothing. */
export function share(part: number, whole: number): string {
  return whole === 0 ? "" : `${((part / whole) * 100).toFixed(1)}%`;
}

/** A number with its noun: "1 file", "1,234 files". */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString("en-US")} ${value === 1 ? one : many}`;
}

/** A difference of bytes, always with its sign: "+1.2MB". */
export function signed(bytes: number): string {
  return bytes < 0 ? `-${formatBytes(-bytes)}` : `+${formatBytes(bytes)}`;
}

/** A mode as chmod(1) takes it, in four octal digits. */
export function permissions(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
