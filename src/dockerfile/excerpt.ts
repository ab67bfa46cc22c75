import type { LineRange } from "./fault.ts";

/** Lines shown around the first that is meant. */
const around = 4;
const rule = "-".repeat(20);

/** The lines of a file that are meant, marked, with some around them, as BuildKit prints them; "" without lines. */
export function excerpt(file: string, text: string, ranges: readonly LineRange[]): string {
  const lines = text.split("\n");
  let start = Math.min(...ranges.map((range) => range.start));
  let end = Math.min(Math.max(...ranges.map((range) => range.end)), lines.length);
  if (ranges.length === 0 || start < 1 || start > lines.length) return "";
  const first = start;
  const wanted = start === end ? around : around / 2;
  for (let shown = 0; shown < wanted; shown++) {
    if (start > 1) {
      start--;
      shown++;
    }
    if (end !== lines.length) {
      end++;
      shown++;
    }
  }
  const isMeant = (line: number) =>
    ranges.some((range) => range.start <= line && line <= range.end);
  const shown = lines.slice(start - 1, end).map((line, index) => {
    const number = start + index;
    return `${String(number).padStart(4)} | ${isMeant(number) ? ">>>" : "   "} ${line}`;
  });
  return [`${file}:${first}`, rule, ...shown, rule, ""].join("\n");
}
