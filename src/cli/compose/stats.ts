import { visibleText } from "#base";
import type { Verb } from "../command.ts";
import { alignColumns } from "../listing.ts";
import type { statsFlags, topFlags } from "../table/compose-look.ts";
import { watchUsage } from "../verb/stats.ts";
import { projectContainers } from "./containers.ts";
import { projectName } from "./project.ts";

/** Containers that come while it runs are shown, too. */
export const stats: Verb<typeof statsFlags> = async (context, { flags, args }) => {
  const name = await projectName(context, flags);
  const choice = { all: flags.all, oneOff: false, services: args };
  return await watchUsage(context, { ...flags, json: false }, async () => {
    const found = await projectContainers(context.client, name, choice);
    return found.map(({ summary }) => summary.Id);
  });
};

/** The processes of all containers in one table; a column that only some have is empty for the others. */
export const top: Verb<typeof topFlags> = async (context, { flags, args }) => {
  const name = await projectName(context, flags);
  const choice = { all: false, oneOff: true, services: args };
  const containers = await projectContainers(context.client, name, choice);
  const answers = await Promise.all(
    containers.map(async ({ service, number, summary }) => {
      const answer = await context.client.containers.top(summary.Id, []);
      return { service, number, titles: answer.Titles, processes: answer.Processes ?? [] };
    }),
  );
  if (answers.length === 0) return 0;
  const titles = [...new Set(answers.flatMap((answer) => answer.titles))];
  const rows = answers.flatMap(({ service, number, titles: own, processes }) =>
    processes.map((process) => [
      ...[service, String(number)],
      ...titles.map((title) => process[own.indexOf(title)] ?? "-"),
    ]),
  );
  const show = context.out.isTerminal ? visibleText : (text: string) => text;
  const lines = alignColumns([["SERVICE", "#", ...titles], ...rows], 4, 2).map(show);
  await context.out.write(lines.map((line) => `${line}\n`).join(""));
  return 0;
};
