import { Fault } from "#base";
import { type Range, rangeText } from "./source.ts";

/** What is wrong with a file, in HCL's words. */
export interface Diagnostic {
  readonly summary: string;
  readonly detail: string;
  /** Where; undefined where no place is known. */
  readonly subject: Range | undefined;
}

/** `invalid`: one or more diagnostics, in the words that buildx prints. */
export class HclFault extends Fault {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super("invalid", describe(diagnostics));
    this.diagnostics = diagnostics;
  }

  /** The place of the first diagnostic that has one. */
  get range(): Range | undefined {
    return this.diagnostics.find((each) => each.subject !== undefined)?.subject;
  }
}

/** A fault of one diagnostic. */
export function hclFault(summary: string, detail: string, subject: Range | undefined): HclFault {
  return new HclFault([{ summary, detail, subject }]);
}

function describe(diagnostics: readonly Diagnostic[]): string {
  const [first, ...others] = diagnostics;
  if (!first) return "no diagnostics";
  const place = first.subject === undefined ? "<nil>" : rangeText(first.subject);
  const text = `${place}: ${first.summary}; ${first.detail}`;
  return others.length === 0 ? text : `${text}, and ${others.length} other diagnostic(s)`;
}

/** A name that differs from the given one by less than three letters, as a question; "" without one. */
export function didYouMean(given: string, names: Iterable<string>): string {
  for (const name of names) {
    if (distance(given, name) < 3) return ` Did you mean ${JSON.stringify(name)}?`;
  }
  return "";
}

/** Levenshtein's: how many letters to add, to leave out or to change. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) >= 3) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, change));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
