/** Whether a name has what a pattern asks for. */
export type NameTest = (name: string) => boolean;

type Token =
  | { readonly kind: "character"; readonly text: string }
  | { readonly kind: "one" }
  | { readonly kind: "many" }
  | { readonly kind: "class"; readonly isNegated: boolean; readonly ranges: readonly Range[] };

type Range = readonly [from: string, to: string];

/** Whether Go's filepath.Match would not take the pattern literally. */
export function hasWildcards(pattern: string): boolean {
  return /^(?:[^\\*?[]|\\.)*[*?[]/s.test(pattern);
}

/** The text that a pattern without wildcards stands for. */
export function withoutEscapes(pattern: string): string {
  return pattern.replace(/\\(.)/gs, "$1");
}

/**
 * Compiles a pattern for one part of a path as Go's filepath.Match does: "*", "?", "[a-z]", "[^a]"
 * and "\" before a character. A pattern without a meaning matches nothing. The time that a test takes
 * grows with the product of both lengths at most.
 */
export function compileWildcard(pattern: string): NameTest {
  const tokens = tokensOf(pattern);
  return tokens ? (name) => matches(tokens, Array.from(name)) : () => false;
}

function tokensOf(pattern: string): Token[] | undefined {
  const tokens: Token[] = [];
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at++) {
    const text = characters[at] ?? "";
    if (text === "*") tokens.push({ kind: "many" });
    else if (text === "?") tokens.push({ kind: "one" });
    else if (text === "[") {
      const found = classAt(characters, at + 1);
      if (!found) return undefined;
      tokens.push(found.token);
      at = found.end;
    } else if (text === "\\") {
      const next = characters[++at];
      if (next === undefined) return undefined;
      tokens.push({ kind: "character", text: next });
    } else tokens.push({ kind: "character", text });
  }
  return tokens;
}

/** A class whose "[" is before `start`; `end` is where its "]" is. */
function classAt(
  characters: readonly string[],
  start: number,
): { readonly token: Token; readonly end: number } | undefined {
  const isNegated = characters[start] === "^";
  const ranges: Range[] = [];
  let at = isNegated ? start + 1 : start;
  const one = () => {
    if (characters[at] === "\\") at += 1;
    return characters[at++];
  };
  while (characters[at] !== "]" || ranges.length === 0) {
    if (characters[at] === "-" || characters[at] === "]") return undefined;
    const from = one();
    let to = from;
    if (characters[at] === "-") {
      at += 1;
      to = one();
    }
    if (from === undefined || to === undefined) return undefined;
    ranges.push([from, to]);
  }
  return { token: { kind: "class", isNegated, ranges }, end: at };
}

/** Goes back to the last "*" alone, which is enough. */
function matches(tokens: readonly Token[], text: readonly string[]): boolean {
  let at = 0;
  let token = 0;
  let star = -1;
  let from = 0;
  while (at < text.length) {
    const wanted = tokens[token];
    if (wanted?.kind === "many") {
      star = token++;
      from = at;
    } else if (wanted && takes(wanted, text[at] ?? "")) {
      at += 1;
      token += 1;
    } else if (star >= 0) {
      token = star + 1;
      at = ++from;
    } else return false;
  }
  while (tokens[token]?.kind === "many") token += 1;
  return token === tokens.length;
}

function takes(token: Token, character: string): boolean {
  if (token.kind === "one") return true;
  if (token.kind === "character") return token.text === character;
  if (token.kind !== "class") return false;
  const code = character.codePointAt(0) ?? 0;
  const isIn = token.ranges.some(
    ([from, to]) => code >= (from.codePointAt(0) ?? 0) && code <= (to.codePointAt(0) ?? 0),
  );
  return isIn !== token.isNegated;
}
