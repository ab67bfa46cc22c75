import type { Diagnostic } from "./diagnostic.ts";
import type { Token } from "./scan.ts";
import { advance } from "./source.ts";

const quotedPiece = /\\u[0-9a-fA-F]{0,4}|\\U[0-9a-fA-F]{0,8}|\\[\s\S]?|\$\$\{|%%\{|[^\\$%]+|[$%]/gu;
const plainPiece = /\$\$\{|%%\{|[^$%]+|[$%]/gu;
const simple: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  '"': '"',
  "\\": "\\",
};

/** The text that a literal stands for: its escapes resolved, in quotes also those with a backslash. */
export function literalText(token: Token, diagnostics: Diagnostic[]): string {
  const isQuoted = token.type === "quoted literal";
  let text = "";
  let end = token.range.start;
  for (const [piece] of token.text.matchAll(isQuoted ? quotedPiece : plainPiece)) {
    const start = end;
    end = advance(start, piece);
    if (piece === "$${" || piece === "%%{") text += piece.slice(1);
    else if (!isQuoted || !piece.startsWith("\\")) text += piece;
    else {
      const subject = { file: token.range.file, start, end };
      const { value, detail } = escapeOf(piece);
      if (detail !== undefined)
        diagnostics.push({ summary: "Invalid escape sequence", detail, subject });
      text += value;
    }
  }
  return text;
}

function escapeOf(piece: string): { readonly value: string; readonly detail?: string } {
  const letter = piece.slice(1, 2);
  const known = simple[letter];
  if (known !== undefined) return { value: known };
  if (letter === "") {
    return {
      value: piece,
      detail: "Backslash must be followed by an escape sequence selector character.",
    };
  }
  if (letter !== "u" && letter !== "U") {
    const rest = piece.slice(1);
    return {
      value: rest,
      detail: `The symbol ${JSON.stringify(rest)} is not a valid escape sequence selector.`,
    };
  }
  const wanted = letter === "u" ? 4 : 8;
  if (piece.length !== wanted + 2) {
    const digits = letter === "u" ? "four" : "eight";
    return {
      value: piece,
      detail: `The \\${letter} escape sequence must be followed by ${digits} hexadecimal digits.`,
    };
  }
  const point = Number.parseInt(piece.slice(2), 16);
  if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
    return {
      value: piece,
      detail: `Cannot encode character U+${point.toString(16).padStart(4, "0")} in UTF-8.`,
    };
  }
  return { value: String.fromCodePoint(point) };
}
