import { Fault } from "#base";

/** One place in a pattern: any run without a slash, or a set of characters. */
type Part = "run" | ((character: string) => boolean);

const maxPattern = 512;

/**
 * Docker's `reference` filter: a pattern of Go's path.Match for the familiar name, with or without
 * its tag. `internal` for one that is malformed, as dockerd gives that no kind.
 */
export function referencePattern(pattern: string): (name: string) => boolean {
  const parts = [...parsePattern(pattern.slice(0, maxPattern))];
  return (name) => matches(parts, name) || matches(parts, name.replace(/(:[^:/@]*|@.*)$/, ""));
}

function* parsePattern(pattern: string): Generator<Part> {
  const left = [...pattern];
  const next = () => {
    const character = left.shift();
    if (character === undefined)
      throw new Fault("internal", "syntax error in pattern", { about: pattern });
    return character;
  };
  while (left.length > 0) {
    const character = next();
    if (character === "*") yield "run";
    else if (character === "?") yield (each) => each !== "/";
    else if (character === "[") yield parseSet(left, next);
    else {
      const literal = character === "\\" ? next() : character;
      yield (each) => each === literal;
    }
  }
}

/** What stands in brackets: characters and ranges of them, or after "^" all others. */
function parseSet(left: readonly string[], next: () => string): Part {
  const isNegated = left[0] === "^";
  if (isNegated) next();
  const ranges: (readonly [string, string])[] = [];
  const bound = () => {
    const character = next();
    // As in Go: a bracket or a dash is written with a backslash.
    return character === "\\" ? next() : "]-".includes(character) ? bad(left, next) : character;
  };
  while (left[0] !== "]" || ranges.length === 0) {
    const low = bound();
    if (left[0] === "-") next();
    else {
      ranges.push([low, low]);
      continue;
    }
    ranges.push([low, bound()]);
  }
  next();
  return (each) => ranges.some(([low, high]) => low <= each && each <= high) !== isNegated;
}

/** Reads on to the end, where `next` faults. */
function bad(left: readonly string[], next: () => string): string {
  while (left.length > 0) next();
  return next();
}

/** A run is made longer only where what follows did not match, so that no pattern takes long. */
function matches(parts: readonly Part[], name: string): boolean {
  const text = [...name];
  let at = 0;
  let part = 0;
  let run = -1;
  let from = 0;
  while (at < text.length) {
    const wanted = parts[part];
    if (wanted === "run") {
      run = part++;
      from = at;
    } else if (wanted?.(text[at] ?? "")) {
      at++;
      part++;
    } else if (run >= 0 && text[from] !== "/") {
      at = ++from;
      part = run + 1;
    } else return false;
  }
  while (parts[part] === "run") part++;
  return part === parts.length;
}
