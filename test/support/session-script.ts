/**
 * Scripts of shell commands with their output beside them, as a person would keep a session:
 *
 *     # A comment stays where it is.
 *     $ docker run --rm busybox sh -c 'echo out; exit 3'
 *       out
 *     ? 3
 *
 * Standard output is indented by two spaces, lines of standard error begin with "! ", a status
 * other than 0 follows "? ". What the reference printed stands there. Where thimble differs on
 * purpose, lines with "~ " follow: the reason after "~ because ", then what thimble prints, in the
 * same form.
 */

export interface Outcome {
  readonly status: number;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
}

interface Difference {
  readonly reason: string;
  readonly outcome: Outcome;
}

export interface SessionStep {
  /** The comments and empty lines before the command, as they are. */
  readonly before: readonly string[];
  readonly command: string;
  readonly outcome: Outcome;
  readonly difference?: Difference;
}

const reasonMark = "because ";

export function parseSession(text: string): SessionStep[] {
  const steps: SessionStep[] = [];
  let before: string[] = [];
  const lines = text.replace(/\n$/, "").split("\n");
  for (let at = 0; at < lines.length; ) {
    const line = lines[at++] ?? "";
    if (!line.startsWith("$ ")) {
      if (line !== "" && !line.startsWith("#")) throw new Error(`line ${at}: ${line}`);
      before.push(line);
      continue;
    }
    const end = lines.findIndex((each, n) => n >= at && !/^( {2}|! ?|\? |~ )/.test(each));
    const block = lines.slice(at, end === -1 ? lines.length : end);
    at += block.length;
    const other = block.filter((each) => each.startsWith("~ ")).map((each) => each.slice(2));
    const difference = other.length > 0 && {
      reason: (other.find((each) => each.startsWith(reasonMark)) ?? "").slice(reasonMark.length),
      outcome: parseOutcome(other.filter((each) => !each.startsWith(reasonMark))),
    };
    const outcome = parseOutcome(block.filter((each) => !each.startsWith("~ ")));
    steps.push({ before, command: line.slice(2), outcome, ...(difference && { difference }) });
    before = [];
  }
  return steps;
}

function parseOutcome(lines: readonly string[]): Outcome {
  const after = (mark: string) =>
    lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(2));
  return { status: Number(after("? ")[0] ?? 0), stdout: after("  "), stderr: after("!") };
}

export function printSession(steps: readonly SessionStep[]): string {
  const lines = steps.flatMap(({ before, command, outcome, difference }) => [
    ...before,
    `$ ${command}`,
    ...printOutcome(outcome),
    ...(difference
      ? [`${reasonMark}${difference.reason}`, ...printOutcome(difference.outcome)].map(
          (line) => `~ ${line}`,
        )
      : []),
  ]);
  return `${lines.join("\n")}\n`;
}

/** The lines of an outcome as they stand in a script. */
export function printOutcome({ status, stdout, stderr }: Outcome): string[] {
  return [
    ...stdout.map((line) => `  ${line}`),
    ...stderr.map((line) => `! ${line}`),
    ...(status === 0 ? [] : [`? ${status}`]),
  ];
}

/** What differs from run to run and from machine to machine, and what stands in its place. */
const variable: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{64}\b/g, "<id>"],
  [/\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b/g, "<short>"],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d( [A-Z]+)?))?/g, "<time>"],
  [/\b(Less than a second|About an? (minute|hour)|\d+ (second|minute|hour)s?)( ago)?\b/g, "<ago>"],
  [/\b\d+(\.\d+)?\s?([kMGT]i?)?B\b/g, "<size>"],
  [/\b\d+(\.\d+)?%/g, "<share>"],
  [/\b(172\.(1[6-9]|2\d|3[01])|192\.168)\.\d+\.\d+\b/g, "<ip>"],
  [/\b(0.0.0.0|127.0.0.1|\[::\]):(3[2-9]|[45]\d)\d{3}\b/g, "$1:<port>"],
  [/member \d+ \(("[^"]*")\) at byte \d+/g, "member <n> ($1) at byte <n>"],
  [/docker-import-\d+/g, "docker-import-<n>"],
  [/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, "<mac>"],
];

/** The lines of an output without what differs each time; columns are two spaces apart. */
export function stableLines(text: string): string[] {
  let stable = text.replaceAll("\r", "");
  for (const [pattern, name] of variable) stable = stable.replace(pattern, name);
  // The docker CLI complains of a connection that was closed before or after all was written.
  stable = stable.replace(/^time="<time>" level=error msg="Can't (add|close) .*\n/gm, "");
  const lines = stable.split("\n").map((line) => line.trimEnd().replace(/(\S) {2,}/g, "$1  "));
  while (lines.at(-1) === "") lines.pop();
  return lines;
}
