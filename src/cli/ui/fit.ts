import { visibleText } from "#base";

const escapes = /\u001b\[[0-9;?]*[A-Za-z]/g;

/** A stranger's text as one line of just `width` columns: cut off or filled up, and without colours. */
export function fit(text: string, width: number): string {
  const line = visibleText(text.replace(escapes, "").replaceAll("\t", "  ").replaceAll("\r", ""));
  if (width <= 0) return "";
  const whole = Bun.stringWidth(line);
  if (whole <= width) return line + " ".repeat(width - whole);
  let shown = "";
  let used = 0;
  for (const character of line) {
    const columns = Bun.stringWidth(character);
    if (used + columns > width - 1) break;
    shown += character;
    used += columns;
  }
  return `${shown}…${" ".repeat(width - 1 - used)}`;
}
