import type { Diagnostic } from "./diagnostic.ts";
import type { Token, TokenType } from "./scan.ts";

const bitwise: Partial<Record<TokenType, string>> = {
  "&": ' Did you mean boolean AND ("&&")?',
  "|": ' Did you mean boolean OR ("||")?',
  "~": ' Did you mean boolean NOT ("!")?',
  "^": "",
};

/** What is said of a token that no file may have, and how many times at most. */
const refused: Partial<
  Record<TokenType, readonly [summary: string, detail: string, times: number]>
> = {
  ";": [
    "Invalid character",
    'The ";" character is not valid. Use newlines to separate arguments and blocks, and commas to separate items in collection values.',
    1,
  ],
  "bad utf8": [
    "Invalid character encoding",
    "All input files must be UTF-8 encoded. Ensure that UTF-8 encoding is selected in your editor.",
    1,
  ],
  "quoted newline": [
    "Invalid multi-line string",
    'Quoted strings may not be split over multiple lines. To produce a multi-line string, either use the \\n escape to represent a newline character or use the "heredoc" multi-line template syntax.',
    Number.POSITIVE_INFINITY,
  ],
  invalid: [
    "Invalid character",
    "This character is not used within the language.",
    Number.POSITIVE_INFINITY,
  ],
};

/** Those of which only the first of a pair is told of, since they enclose a text in other languages. */
const pairs: Partial<Record<TokenType, string>> = {
  "`": 'The "`" character is not valid. To create a multi-line string, use the "heredoc" syntax, like "<<EOT".',
  "'": 'Single quotes are not valid. Use double quotes (") to enclose strings.',
};

/** What is wrong with the tokens themselves, in the order of the file. */
export function invalidTokens(tokens: readonly Token[]): Diagnostic[] {
  const found: Diagnostic[] = [];
  const counts = new Map<TokenType | "bitwise", number>();
  for (const { type, range } of tokens) {
    const key = bitwise[type] === undefined ? type : "bitwise";
    const count = counts.get(key) ?? 0;
    const add = (summary: string, detail: string) =>
      found.push({ summary, detail, subject: range });
    if (key === "bitwise") {
      if (count >= 4) continue;
      add("Unsupported operator", `Bitwise operators are not supported.${bitwise[type]}`);
    } else if (pairs[type] !== undefined) {
      if (count % 2 === 0) add("Invalid character", pairs[type]);
      if (count > 2) continue;
    } else {
      const [summary, detail, times] = refused[type] ?? [];
      if (summary === undefined || detail === undefined || count >= (times ?? 0)) continue;
      add(summary, detail);
    }
    counts.set(key, count + 1);
  }
  return found;
}
