/** A failed test or step, and its output. */
export interface Failure {
  readonly title: string;
  readonly output: string;
}

const longest = 60;
const widest = 500;

/** The last lines of a text, with a word on how many are left out; very long ones are cut. */
export function lastLines(text: string): string {
  const lines = text
    .replace(/\s+$/, "")
    .split("\n")
    .map((line) => (line.length > widest ? `${line.slice(0, widest)}...` : line));
  if (lines.length <= longest) return lines.join("\n");
  return [`... (${lines.length - longest} lines above)`, ...lines.slice(-longest)].join("\n");
}

/**
 * The failed tests in the output of `bun test`, each with its own part of it: what came
 * between the result before, or the head of its file, and its own result.
 */
export function failedTests(output: string): Failure[] {
  const failures: Failure[] = [];
  let part: string[] = [];
  for (const line of output.split("\n")) {
    // The titles of failures are printed again in the summary at the end.
    if (/^\d+ tests? failed:$/.test(line)) break;
    const [, result, title = ""] =
      /^\((pass|fail|skip|todo)\) (.+?)(?: \[[\d.]+m?s\])?$/.exec(line) ?? [];
    if (result === "fail") failures.push({ title, output: lastLines(part.join("\n")) });
    if (result !== undefined || /^\S+\.test\.ts:$/.test(line)) part = [];
    else part.push(line);
  }
  return failures;
}
