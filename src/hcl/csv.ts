import { Fault } from "#base";

/** Rows of CSV, in the words of Go's encoding/csv where they are broken. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  for (let at = 0, line = 1; at < text.length; line++) {
    const row: string[] = [];
    at = readRow(text, at, line, row);
    // Lines with nothing on them are no rows.
    if (row.length > 1 || row[0] !== "" || text[at - 2] === '"') rows.push(row);
  }
  return rows;
}

/** Reads a row into `row`; gives where the next one begins. */
function readRow(text: string, start: number, line: number, row: string[]): number {
  const broken = (at: number, why: string) =>
    new Fault("invalid", `parse error on line ${line}, column ${at - start + 1}: ${why}`);
  for (let at = start; ; at++) {
    if (text[at] === '"') {
      const [whole = '"'] = /^"(?:[^"]|"")*"?/.exec(text.slice(at)) ?? [];
      const end = at + whole.length;
      const next = text[end];
      if (!/^"(?:[^"]|"")*"$/.test(whole))
        throw broken(at + 1, 'extraneous or missing " in quoted-field');
      if (next !== undefined && !/[,\r\n]/.test(next))
        throw broken(end - 1, 'extraneous or missing " in quoted-field');
      row.push(whole.slice(1, -1).replaceAll('""', '"'));
      at = end;
    } else {
      const [plain = ""] = /^[^,\n]*/.exec(text.slice(at)) ?? [];
      const field = text[at + plain.length] === "\n" ? plain.replace(/\r$/, "") : plain;
      const quote = field.indexOf('"');
      if (quote >= 0) throw broken(at + quote, 'bare " in non-quoted-field');
      row.push(field);
      at += plain.length;
    }
    if (text[at] === "\r" && text[at + 1] === "\n") at++;
    if (text[at] !== ",") return at + 1;
  }
}
