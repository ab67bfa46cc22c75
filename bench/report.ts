import { quantile, type Sample } from "./statistics.ts";

/** One row group of the report: how the contenders did at one thing, and whether a bar holds. */
export type Finding = TimedFinding | FigureFinding;

interface TimedFinding {
  readonly kind: "timed";
  readonly title: string;
  /** The first is thimble's. */
  readonly samples: readonly Sample[];
  /** thimble's median is to be this many times smaller than that of the contender named. */
  readonly bars?: readonly { readonly against: string; readonly factor: number }[];
  /** Milliseconds that thimble's median may take. */
  readonly atMost?: number;
  readonly note?: string;
}

interface FigureFinding {
  readonly kind: "figure";
  readonly title: string;
  readonly figure: string;
  /** Absent: reported without a bar. */
  readonly holds?: boolean;
  readonly bar?: string;
}

const verdict = (holds: boolean) => (holds ? "holds" : "MISSED");

function timedRows(finding: TimedFinding): string[] {
  const own = quantile(finding.samples[0]?.milliseconds ?? [], 0.5);
  return finding.samples.map(({ name, milliseconds }, index) => {
    const median = quantile(milliseconds, 0.5);
    const ratio = index === 0 ? "" : `${(median / own).toFixed(2)}×`;
    const bar = finding.bars?.find(({ against }) => against === name);
    const judged =
      index === 0 && finding.atMost !== undefined
        ? `at most ${finding.atMost} ms: ${verdict(own <= finding.atMost)}`
        : bar
          ? `at least ${bar.factor}×: ${verdict(median / own >= bar.factor)}`
          : "";
    const title = index === 0 ? finding.title : "";
    return `| ${title} | ${name} | ${median.toFixed(2)} | ${quantile(milliseconds, 0.95).toFixed(2)} | ${ratio} | ${judged} |`;
  });
}

export interface Report {
  readonly findings: readonly Finding[];
  readonly machine: string;
  readonly versions: readonly string[];
  readonly rounds: number;
}

/** The report as Markdown. Ratios are medians over thimble's median: above 1, thimble is faster. */
export function renderFindings({ findings, machine, versions, rounds }: Report): string {
  const timed = findings.filter((finding) => finding.kind === "timed");
  const figures = findings.filter((finding) => finding.kind === "figure");
  const notes = timed.flatMap((finding) =>
    finding.note ? [`- ${finding.title}: ${finding.note}`] : [],
  );
  return [
    `# Measured ${new Date().toISOString().slice(0, 10)}`,
    "",
    machine,
    "",
    ...versions.map((version) => `- ${version}`),
    "",
    `Times in milliseconds, up to ${rounds} interleaved rounds; the ratio is of medians, over thimble's.`,
    "",
    "| what | who | p50 | p95 | ratio | bar |",
    "|---|---|---:|---:|---:|---|",
    ...timed.flatMap(timedRows),
    "",
    ...(notes.length > 0 ? [...notes, ""] : []),
    "| what | figure | bar |",
    "|---|---|---|",
    ...figures.map(
      ({ title, figure, bar, holds }) =>
        `| ${title} | ${figure} | ${bar ? `${bar}: ${verdict(holds ?? false)}` : ""} |`,
    ),
    "",
  ].join("\n");
}
