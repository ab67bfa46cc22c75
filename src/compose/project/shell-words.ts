import { Fault } from "#base";

/** The words of a command line: quotes and backslashes count, variables and operators do not. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word = "";
  let isWord = false;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const c = line[i] as string;
    if (c === "\\" && quote !== "'") {
      i++;
      if (i >= line.length) throw new Fault("invalid", "invalid command line string");
      word += line[i];
      isWord = true;
    } else if (quote !== "") {
      if (c === quote) quote = "";
      else word += c;
    } else if (c === '"' || c === "'") {
      quote = c;
      isWord = true;
    } else if (c === " " || c === "\t" || c === "\r" || c === "\n") {
      if (isWord) words.push(word);
      word = "";
      isWord = false;
    } else {
      word += c;
      isWord = true;
    }
  }
  if (quote !== "") throw new Fault("invalid", "invalid command line string");
  if (isWord) words.push(word);
  return words;
}
