import { Fault } from "#base";
import { composeLabel } from "#compose";
import type { ContainerSummary } from "#wire";
import type { Verb } from "../command.ts";
import { alignColumns } from "../listing.ts";
import type { lsFlags } from "../table/compose-look.ts";
import { checkFormat } from "./format.ts";

export const ls: Verb<typeof lsFlags> = async (context, { flags }) => {
  const unknown = Object.keys(flags.filter).find((key) => key !== "name");
  if (unknown !== undefined) throw new Fault("invalid", `invalid filter '${unknown}'`);
  const format = checkFormat(flags.format);
  const containers = await context.client.containers.list({
    all: flags.all,
    filters: { label: [composeLabel("project")] },
  });
  const patterns = (flags.filter.name ?? []).map(patternOf);
  const projects = [...Map.groupBy(containers, (each) => labelOf(each, "project"))]
    .filter(([name]) => patterns.length === 0 || patterns.some((pattern) => pattern.test(name)))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([Name, own]) => ({ Name, Status: statusOf(own), ConfigFiles: filesOf(own) }));
  if (flags.quiet) await context.out.write(projects.map(({ Name }) => `${Name}\n`).join(""));
  else if (format === "json") await context.out.write(`${JSON.stringify(projects)}\n`);
  else {
    const rows = projects.map(({ Name, Status, ConfigFiles }) => [Name, Status, ConfigFiles]);
    const lines = alignColumns([["NAME", "STATUS", "CONFIG FILES"], ...rows], 20);
    await context.out.write(lines.map((line) => `${line}\n`).join(""));
  }
  return 0;
};

const labelOf = (container: ContainerSummary, name: string) =>
  container.Labels[composeLabel(name)] ?? "";

/** A filter is a regular expression, in which a part of the name is enough. */
function patternOf(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new Fault("invalid", `invalid filter 'name=${text}'`, { cause });
  }
}

/** "exited(1), running(3)". */
function statusOf(containers: readonly ContainerSummary[]): string {
  return [...Map.groupBy(containers, ({ State }) => State)]
    .map(([state, { length }]) => `${state}(${length})`)
    .sort()
    .join(", ");
}

function filesOf(containers: readonly ContainerSummary[]): string {
  const files = containers.flatMap((each) =>
    labelOf(each, "project.config_files").split(",").filter(Boolean),
  );
  return files.length === 0 ? "N/A" : [...new Set(files)].join(",");
}
