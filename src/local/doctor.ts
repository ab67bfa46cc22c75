import { cgroupFindings } from "./cgroup-checks.ts";
import type { Finding } from "./finding.ts";
import { kernelFindings, privilegeFindings } from "./kernel-checks.ts";
import { networkFindings } from "./network-checks.ts";
import { storageFindings } from "./storage-checks.ts";
import { imageFindings, toolFindings } from "./tool-checks.ts";

/** Where doctor prints, and the roots that it looks at. */
export interface DoctorContext {
  readonly json: boolean;
  readonly out: { write(text: string): Promise<void> };
  readonly style: {
    bold(text: string): string;
    dim(text: string): string;
    red(text: string): string;
    green(text: string): string;
    yellow(text: string): string;
  };
  readonly dataRoot: string;
  readonly runRoot: string;
}

/**
 * Looks at this machine and prints what it found; gives 1 when something is missing without which
 * thimble cannot work.
 */
export async function doctor(context: DoctorContext): Promise<number> {
  const findings = await examine(context.dataRoot, context.runRoot);
  const missing = findings.filter(({ state }) => state === "missing").length;
  if (context.json) {
    const report = { ok: missing === 0, findings };
    await context.out.write(`${JSON.stringify(report, null, 2)}\n`);
  } else {
    await context.out.write(report(findings, context.style));
  }
  return missing === 0 ? 0 : 1;
}

/** Everything that doctor looks at, in the order it is shown. */
async function examine(dataRoot: string, runRoot: string): Promise<readonly Finding[]> {
  return [
    ...kernelFindings(),
    ...privilegeFindings(),
    ...cgroupFindings(),
    ...(await storageFindings(dataRoot, runRoot)),
    ...(await networkFindings()),
    ...(await imageFindings()),
    ...toolFindings(),
  ];
}

/** The findings as text for people: by area, with what to do below each that is not there. */
export function report(findings: readonly Finding[], style: DoctorContext["style"]): string {
  const width = Math.max(...findings.map(({ name }) => name.length)) + 2;
  const marks = {
    ok: style.green("ok     "),
    lacking: style.yellow("lacking"),
    missing: style.red("MISSING"),
  };
  const lines: string[] = [];
  let area = "";
  for (const finding of findings) {
    if (finding.area !== area) {
      if (area !== "") lines.push("");
      area = finding.area;
      lines.push(style.bold(area));
    }
    lines.push(`  ${marks[finding.state]}  ${finding.name.padEnd(width)}${finding.found}`);
    if (finding.state === "ok") continue;
    const indent = " ".repeat(11);
    lines.push(style.dim(`${indent}without it: ${finding.consequence}`));
    lines.push(`${indent}to do: ${finding.fix}`);
  }
  return `${lines.join("\n")}\n\n${summary(findings)}\n`;
}

function summary(findings: readonly Finding[]): string {
  const count = (state: Finding["state"]) => findings.filter((one) => one.state === state).length;
  const missing = count("missing");
  const lacking = count("lacking");
  const features =
    lacking === 0 ? "" : ` ${lacking} feature${lacking === 1 ? " is" : "s are"} limited.`;
  if (missing === 0) return `This machine can run thimble.${features}`;
  return `This machine cannot run thimble yet: ${missing} thing${missing === 1 ? " is" : "s are"} missing.${features}`;
}
