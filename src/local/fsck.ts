import { existsSync } from "node:fs";
import { join } from "node:path";
import { Fault, formatBytes, isFault } from "#base";
import { type Content, type FsckFinding, type FsckReport, openContent } from "#content";
import { type Fd, lockFile } from "#kernel";
import { openOverlaySnapshotter } from "#snapshot";
import { openState } from "#state";

/** Of those that a finding concerns; a base layer may be that of a thousand. */
const shownImages = 5;

/** What fsck prints with, and which root it looks at. */
export interface FsckContext {
  readonly json: boolean;
  readonly out: { write(text: string): Promise<void> };
  readonly style: {
    bold(text: string): string;
    red(text: string): string;
    green(text: string): string;
    yellow(text: string): string;
  };
  readonly dataRoot: string;
}

export interface FsckRequest {
  readonly repair: boolean;
  /** Compares the files of layers with their blobs, too. */
  readonly deep: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Checks the images of a data root that no engine has (`conflict` when one does; ask that
 * engine then), and prints what it found. Without `repair` nothing is changed. Gives 0
 * when all is well or was repaired, else 1.
 */
export async function fsck(context: FsckContext, request: FsckRequest): Promise<number> {
  const { dataRoot } = context;
  if (!existsSync(join(dataRoot, "state.db"))) {
    throw new Fault(
      "not_found",
      `there is no data of an engine in ${dataRoot}; choose its root with --data-root`,
      {
        about: dataRoot,
      },
    );
  }
  using _lock = lockRoot(dataRoot);
  using state = openState(join(dataRoot, "state.db"), { observe: true });
  const places = { state, untouched: true } as const;
  const snapshots = await openOverlaySnapshotter({ ...places, root: join(dataRoot, "snapshots") });
  const content = await openContent({ ...places, root: join(dataRoot, "content"), snapshots });
  const report = await check(content, context, request);
  await snapshots.drain();
  await context.out.write(context.json ? asJson(report) : fsckSummary(report, context.style));
  return report.findings.every(({ repaired }) => repaired) ? 0 : 1;
}

/** Prints each finding as it is found: a check of many gigabytes takes its time. */
async function check(
  content: Content,
  context: FsckContext,
  { repair, deep, signal }: FsckRequest,
): Promise<FsckReport> {
  let printed = Promise.resolve();
  const onFinding = (finding: FsckFinding) => {
    if (context.json) return;
    printed = printed.then(() => context.out.write(fsckLine(finding, context.style)));
  };
  const report = await content.fsck({ repair, deep, onFinding, signal });
  await printed;
  return report;
}

function lockRoot(dataRoot: string): Fd {
  try {
    return lockFile(join(dataRoot, "lock"));
  } catch (cause) {
    if (!isFault(cause, "conflict")) throw cause;
    throw new Fault(
      "conflict",
      `the data root ${dataRoot} is in use by an engine: stop that one first, or let it check itself`,
      { about: dataRoot, cause },
    );
  }
}

/** A finding as a line for people, with the images it concerns below. */
function fsckLine(
  { message, images, repaired }: Omit<FsckFinding, "kind" | "about">,
  style: FsckContext["style"],
): string {
  const mark = repaired ? style.green("repaired") : style.red("DAMAGED ");
  const more = images.length > shownImages ? ` and ${images.length - shownImages} more` : "";
  const shown = images.slice(0, shownImages).join(", ");
  const names = images.length > 0 ? `          of ${shown}${more}\n` : "";
  return `${mark}  ${message}\n${names}`;
}

/** The last lines: what was looked at, and what is left to do. */
function fsckSummary(report: FsckReport, style: FsckContext["style"]): string {
  const { blobs, bytes, layers, findings } = report;
  const left = findings.filter(({ repaired }) => !repaired).length;
  const seen = `${count(blobs, "blob")} (${formatBytes(bytes)}) and ${count(layers, "layer")} checked`;
  if (findings.length === 0) return `${seen}: ${style.green("all is well")}\n`;
  const repaired = findings.length - left;
  const verdict =
    left === 0
      ? style.green(`${count(repaired, "finding")}, all repaired`)
      : style.bold(`${count(findings.length, "finding")}, ${repaired} repaired`);
  return `${seen}: ${verdict}\n`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function asJson(report: FsckReport): string {
  const ok = report.findings.every(({ repaired }) => repaired);
  return `${JSON.stringify({ ok, ...report }, null, 2)}\n`;
}
