import type { StepBudget } from "#base";
import { DockerfileFault } from "./fault.ts";

/** A character, any one character, or any number of them; the last two stop at the end of a line. */
type Token = { readonly character: string } | "any" | "many";

export interface PatternChange {
  readonly value: string;
  readonly pattern: string;
  /** Steps that the matching may take, one for each character of the value and token of the pattern. */
  readonly budget: StepBudget;
}

/** ${value#pattern}; with `isLongest`, ${value##pattern}. */
export function removePrefix(change: PatternChange & { readonly isLongest: boolean }): string {
  const text = Array.from(change.value);
  const end = matchEnd(parsePattern(change.pattern), { ...change, text, start: 0 });
  return end === undefined ? change.value : text.slice(end).join("");
}

/** ${value%pattern}; with `isLongest`, ${value%%pattern}. */
export function removeSuffix(change: PatternChange & { readonly isLongest: boolean }): string {
  const text = Array.from(change.value).reverse();
  const end = matchEnd(parsePattern(change.pattern).reverse(), { ...change, text, start: 0 });
  return end === undefined ? change.value : text.slice(end).reverse().join("");
}

/** ${value/pattern/replacement}; with `isAll`, ${value//pattern/replacement}. */
export function replacePattern(
  change: PatternChange & { readonly replacement: string; readonly isAll: boolean },
): string {
  const { replacement, isAll, budget } = change;
  const tokens = parsePattern(change.pattern);
  const text = Array.from(change.value);
  let result = "";
  let copied = 0;
  let afterMatch = -1;
  for (let start = 0; start <= text.length; ) {
    const end = matchEnd(tokens, { text, start, isLongest: true, budget });
    // Nothing matches once more right behind a match.
    if (end === undefined || (end === start && start === afterMatch)) {
      start++;
      continue;
    }
    result += text.slice(copied, start).join("") + replacement;
    copied = end;
    afterMatch = end;
    if (!isAll) break;
    start = end === start ? start + 1 : end;
  }
  return result + text.slice(copied).join("");
}

function parsePattern(pattern: string): Token[] {
  const tokens: Token[] = [];
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    const next = characters[at + 1] ?? "";
    if (character === "*") tokens.push("many");
    else if (character === "?") tokens.push("any");
    else if (character !== "\\") tokens.push({ character });
    else if (next !== "}" && next !== "/") {
      if (next === "" || !"*?\\".includes(next)) {
        throw new DockerfileFault(
          `invalid pattern (${pattern}) in substitution: invalid escape '\\${next}'`,
        );
      }
      tokens.push({ character: next });
      at++;
    }
  }
  return tokens;
}

interface MatchRequest {
  readonly text: readonly string[];
  readonly start: number;
  readonly isLongest: boolean;
  readonly budget: StepBudget;
}

/** Where the shortest or longest match from `start` ends. All ways to match go forward at once, so that no pattern is slow. */
function matchEnd(tokens: readonly Token[], request: MatchRequest): number | undefined {
  const { text, start, isLongest, budget } = request;
  let states = new Set<number>();
  reach(tokens, 0, states);
  let end = states.has(tokens.length) ? start : undefined;
  for (let at = start; at < text.length && states.size > 0; at++) {
    if (end !== undefined && !isLongest) break;
    if (!budget.take(states.size)) throw new DockerfileFault("the expansion takes too long");
    const next = new Set<number>();
    const character = text[at];
    for (const state of states) {
      const token = tokens[state];
      if (token === "many" && character !== "\n") reach(tokens, state, next);
      if (token === "any" && character !== "\n") reach(tokens, state + 1, next);
      if (typeof token === "object" && token.character === character)
        reach(tokens, state + 1, next);
    }
    states = next;
    if (states.has(tokens.length)) end = at + 1;
  }
  return end;
}

/** Adds a state, and those that are reached from it without a character. */
function reach(tokens: readonly Token[], state: number, states: Set<number>): void {
  while (!states.has(state)) {
    states.add(state);
    if (tokens[state] !== "many") return;
    state++;
  }
}
