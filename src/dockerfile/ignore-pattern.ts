import { DockerfileFault, quote } from "./fault.ts";

/** Says whether a pattern matches a path, which has no "/" at its start or end. */
export type PathTest = (path: string) => boolean;

type Token =
  | { readonly kind: "character"; readonly code: number }
  /** "?": any character but "/". */
  | { readonly kind: "one" }
  /** "*": any number of characters but "/". */
  | { readonly kind: "name" }
  /** Two asterisks before more: nothing, or anything that ends with "/". */
  | { readonly kind: "directories" }
  /** Two asterisks at the end. */
  | { readonly kind: "rest" }
  | {
      readonly kind: "class";
      readonly ranges: readonly [number, number][];
      readonly isNegated: boolean;
    };

const slash = 0x2f;

/** Compiles a pattern without "!", cleaned, as Docker's github.com/moby/patternmatcher reads it. */
export function compilePattern(pattern: string): PathTest {
  const tokens = tokensOf(pattern);
  const plain = !/[*?[\\]/.test(pattern);
  if (plain) return (path) => path === pattern;
  const [first] = tokens;
  if (first?.kind === "directories" && !/[*?[\\]/.test(pattern.slice(2))) {
    const suffix = pattern.slice(2);
    const whole = suffix.replace(/^\//, "");
    return (path) => path.endsWith(suffix) || path === whole;
  }
  if (
    tokens.at(-1)?.kind === "rest" &&
    tokens.slice(0, -1).every(({ kind }) => kind === "character")
  ) {
    const prefix = pattern.replace(/\*\*\/?$/, "");
    return (path) => path.startsWith(prefix);
  }
  return (path) => matches(tokens, path);
}

/** The start of a pattern without wildcards: every path that it matches begins so. */
export function literalStart(pattern: string): string {
  return /^[^*?[\\]*/.exec(pattern)?.[0] ?? "";
}

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; ) {
    const character = pattern.charAt(at);
    if (pattern.startsWith("**", at)) {
      at += pattern.startsWith("**/", at) ? 3 : 2;
      tokens.push({ kind: at >= pattern.length ? "rest" : "directories" });
    } else if (character === "[") {
      const { token, end } = classOf(pattern, at);
      tokens.push(token);
      at = end;
    } else {
      if (character === "\\" && at + 1 >= pattern.length) throw badPattern(pattern);
      if (character === "*") tokens.push({ kind: "name" });
      else if (character === "?") tokens.push({ kind: "one" });
      else {
        if (character === "\\") at++;
        tokens.push({ kind: "character", code: pattern.charCodeAt(at) });
      }
      at++;
    }
  }
  return tokens;
}

/** "[a-z]", "[^a]"; the grammar is that of Go's path/filepath.Match. */
function classOf(pattern: string, start: number): { token: Token; end: number } {
  let at = start + 1;
  const isNegated = pattern.charAt(at) === "^";
  if (isNegated) at++;
  const ranges: [number, number][] = [];
  const take = (): number => {
    if ("-]".includes(pattern.charAt(at))) throw badPattern(pattern);
    if (pattern.charAt(at) === "\\") at++;
    if (at >= pattern.length) throw badPattern(pattern);
    return pattern.charCodeAt(at++);
  };
  while (ranges.length === 0 || pattern.charAt(at) !== "]") {
    const low = take();
    if (pattern.charAt(at) !== "-") {
      ranges.push([low, low]);
      continue;
    }
    at++;
    ranges.push([low, take()]);
  }
  return { token: { kind: "class", ranges, isNegated }, end: at + 1 };
}

function badPattern(pattern: string): DockerfileFault {
  return new DockerfileFault(`syntax error in pattern ${quote(pattern)}`);
}

/**
 * Goes forward, and after a mismatch back to the last "*", or else to the last "**": what those
 * before it match need not change. So the time is bounded whatever the pattern.
 */
function matches(tokens: readonly Token[], path: string): boolean {
  let at = 0;
  let position = 0;
  let name = { position: -1, at: 0 };
  let directories = { position: -1, at: 0 };
  while (at < path.length || position < tokens.length) {
    const token = tokens[position];
    if (token?.kind === "rest") return true;
    if (token?.kind === "name") {
      name = { position: ++position, at };
    } else if (token?.kind === "directories") {
      directories = { position: ++position, at };
      name = { position: -1, at: 0 };
    } else if (token && at < path.length && matchesOne(token, path.charCodeAt(at))) {
      at++;
      position++;
    } else if (name.position >= 0 && name.at < path.length && path.charCodeAt(name.at) !== slash) {
      at = ++name.at;
      position = name.position;
    } else {
      const next = directories.position < 0 ? -1 : path.indexOf("/", directories.at);
      if (next < 0) return false;
      directories.at = next + 1;
      at = directories.at;
      position = directories.position;
      name = { position: -1, at: 0 };
    }
  }
  return true;
}

function matchesOne(token: Token, code: number): boolean {
  if (token.kind === "character") return token.code === code;
  if (token.kind === "one") return code !== slash;
  if (token.kind !== "class") return false;
  return token.ranges.some(([low, high]) => low <= code && code <= high) !== token.isNegated;
}
