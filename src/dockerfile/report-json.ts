import type { CheckReport } from "./check.ts";
import type { LineRange } from "./fault.ts";
import type { NamedWant, Outline, Target } from "./outline.ts";
import { ruleDescription, ruleUrl } from "./rules.ts";

/** A Dockerfile that a report is about, by the name alone. */
export interface ReportedFile {
  readonly name: string;
  readonly text: string;
}

/** The result of buildx's --call=check,format=json, without the steps that load the Dockerfile: that of BuildKit's frontend.lint. */
export function checkJson({ warnings, failure }: CheckReport, file: ReportedFile): string {
  const shown = warnings.map(({ rule, detail, range }) => ({
    ruleName: rule,
    description: ruleDescription(rule),
    url: ruleUrl(rule),
    detail,
    location: location([range]),
  }));
  const source = { filename: file.name, data: encoded(file), language: "Dockerfile" };
  const error = failure && { message: failure.message, location: location(failure.ranges) };
  return json({
    warnings: shown.length === 0 ? null : shown,
    sources: [source],
    ...(error ? { buildError: error } : {}),
  });
}

/** The result of buildx's --call=outline,format=json: that of BuildKit's frontend.outline. */
export function outlineJson({ name, description, ...found }: Outline, file: ReportedFile): string {
  const wants = (items: readonly NamedWant[]) =>
    items.map((each) => ({
      name: each.name,
      ...(each.isRequired ? { required: true } : {}),
      location: location([each.range]),
    }));
  const args = found.arguments.map((each) => ({
    name: each.name,
    ...(each.description ? { description: each.description } : {}),
    ...(each.value === "" ? {} : { value: each.value }),
    location: location([each.range]),
  }));
  const secrets = wants(found.secrets);
  const ssh = wants(found.agents);
  return json({
    ...(name ? { name } : {}),
    ...(description ? { description } : {}),
    ...(args.length > 0 ? { args } : {}),
    ...(secrets.length > 0 ? { secrets } : {}),
    ...(ssh.length > 0 ? { ssh } : {}),
    sources: [encoded(file)],
  });
}

/** The result of buildx's --call=targets,format=json: that of BuildKit's frontend.targets. */
export function targetsJson(targets: readonly Target[], file: ReportedFile): string {
  const shown = targets.map(({ name, isDefault, description, base, platform, range }) => ({
    ...(name ? { name } : {}),
    ...(isDefault ? { default: true } : {}),
    ...(description ? { description } : {}),
    base,
    ...(platform ? { platform } : {}),
    location: location([range]),
  }));
  return json({ targets: shown, sources: [encoded(file)] });
}

/** BuildKit has a range for each line. */
function location(ranges: readonly LineRange[]) {
  const lines = ranges.flatMap(({ start, end }) =>
    Array.from({ length: end - start + 1 }, (_, index) => ({ line: start + index })),
  );
  return lines.length === 0 ? {} : { ranges: lines.map((line) => ({ start: line, end: line })) };
}

function encoded({ text }: ReportedFile): string {
  return Buffer.from(text).toString("base64");
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
