import { type ExpandOptions, expand } from "./expand.ts";
import { DockerfileFault } from "./fault.ts";

/** A document in the Dockerfile itself: "<<NAME", its lines, and a line of the name alone. */
export interface Heredoc {
  readonly name: string;
  /** False when a part of the name is quoted: variables of the document stay as they are. */
  readonly isExpanded: boolean;
  /** "<<-": tabs at the start of lines do not count. */
  readonly isChomped: boolean;
  /** The number before "<<"; 0 when there is none. */
  readonly descriptor: number;
  /** With the ends of lines; tabs are still there. */
  readonly content: string;
}

const none: ReadonlyMap<string, string> = new Map();

/** The heredoc that a word begins, without content; undefined when it begins none. */
export function parseHeredocWord(word: string): Heredoc | undefined {
  const match = /^(\d*)<<(-?)([^<]+)$/.exec(word);
  const written = match?.[3];
  if (!match || written === undefined) return undefined;
  const options = { escape: "\\", keepUnset: true } as const;
  const [name, ...more] = wordsOf(written, options);
  if (name === undefined || more.length > 0) return undefined;
  const [raw = ""] = wordsOf(written, { ...options, quotes: "keep" });
  return {
    name,
    isExpanded: countQuotes(name) === countQuotes(raw),
    isChomped: match[2] === "-",
    descriptor: Number(match[1]),
    content: "",
  };
}

/** The heredocs that an instruction's line begins, in order. */
export function heredocsOf(line: string): Heredoc[] {
  if (!line.includes("<<")) return [];
  const keep = { quotes: "keep", keepEscapes: true, keepUnset: true } as const;
  const words = wordsOf(line, { escape: "\\", ...keep });
  return words.flatMap((word, index) => {
    // The name may follow after a blank.
    const whole = /^\d*<<$/.test(word) ? word + (words[index + 1] ?? "") : word;
    return parseHeredocWord(whole) ?? [];
  });
}

/** The document as a program reads it: without the tabs that "<<-" takes away. */
export function heredocText({ content, isChomped }: Heredoc): string {
  return isChomped ? content.replace(/^\t+/gm, "") : content;
}

/** The words of a text; none where it cannot be split: the shell may know what it means. */
function wordsOf(text: string, options: ExpandOptions): readonly string[] {
  try {
    return expand(text, none, options).words;
  } catch (error) {
    if (error instanceof DockerfileFault) return [];
    throw error;
  }
}

function countQuotes(text: string): number {
  return text.replace(/[^'"]/g, "").length;
}
