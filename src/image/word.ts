/**
 * The words of an instruction as Dockerfiles write them: split at blanks, with
 * single quotes (literal), double quotes and backslashes (escapes), and $NAME,
 * ${NAME}, ${NAME:-default}, ${NAME:+instead} replaced from `variables` outside of
 * single quotes. A quote or brace left open throws an Error that says so.
 */
export function splitWords(text: string, variables?: ReadonlyMap<string, string>): string[] {
  const words: string[] = [];
  let word: string | undefined;
  const add = (part: string) => {
    word = (word ?? "") + part;
  };
  for (let i = 0; i < text.length; ) {
    const char = text[i] ?? "";
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      i++;
    } else if (char === "'") {
      const end = text.indexOf("'", i + 1);
      if (end < 0) throw new Error("a single quote is not closed");
      add(text.slice(i + 1, end));
      i = end + 1;
    } else if (char === '"') {
      const quoted = readDoubleQuoted(text, i + 1, variables);
      add(quoted.value);
      i = quoted.end;
    } else if (char === "\\") {
      add(text[i + 1] ?? "\\");
      i += 2;
    } else if (char === "$" && variables) {
      const variable = readVariable(text, i, variables);
      add(variable.value);
      i = variable.end;
    } else {
      add(char);
      i++;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

interface Piece {
  readonly value: string;
  /** Index of the first character after it. */
  readonly end: number;
}

function readDoubleQuoted(
  text: string,
  start: number,
  variables: ReadonlyMap<string, string> | undefined,
): Piece {
  let value = "";
  for (let i = start; i < text.length; ) {
    const char = text[i] ?? "";
    if (char === '"') return { value, end: i + 1 };
    if (char === "\\" && /["\\$]/.test(text[i + 1] ?? "")) {
      value += text[i + 1];
      i += 2;
    } else if (char === "$" && variables) {
      const variable = readVariable(text, i, variables);
      value += variable.value;
      i = variable.end;
    } else {
      value += char;
      i++;
    }
  }
  throw new Error("a double quote is not closed");
}

function readVariable(text: string, at: number, variables: ReadonlyMap<string, string>): Piece {
  const plain = /^\$([A-Za-z_]\w*)/.exec(text.slice(at, at + 256));
  if (plain?.[1]) return { value: variables.get(plain[1]) ?? "", end: at + plain[0].length };
  if (text[at + 1] !== "{") return { value: "$", end: at + 1 };
  const close = text.indexOf("}", at);
  if (close < 0) throw new Error('"${" is not closed');
  const inside = text.slice(at + 2, close);
  const braced = /^([A-Za-z_]\w*)(?::([-+])([\s\S]*))?$/.exec(inside);
  if (!braced?.[1]) throw new Error(`"\${${inside}}" is not a substitution that is known`);
  const [, name, operator, word = ""] = braced;
  const value = variables.get(name) ?? "";
  const replaced = operator === "-" ? value || word : operator === "+" ? value && word : value;
  return { value: replaced, end: close + 1 };
}

/** A JSON list of strings ("exec form"); undefined when the text is anything else. */
export function parseExecForm(text: string): string[] | undefined {
  if (!text.trimStart().startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
  } catch {
    return undefined;
  }
  return undefined;
}
