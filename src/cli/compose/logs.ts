import { Fault } from "#base";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { paintOf, showMerged } from "../show-merged.ts";
import type { logsFlags } from "../table/compose-look.ts";
import { parseTimeFlag } from "../time-flag.ts";
import { projectContainers } from "./containers.ts";
import { projectOrName } from "./project.ts";

/** The lines of all containers by their time, each behind "SERVICE-NUMBER". */
export const logs: Verb<typeof logsFlags> = async (context, { flags, args }) => {
  const { index = 0, follow, timestamps } = flags;
  if (index > 0 && args.length !== 1) {
    throw new Fault("invalid", "--index requires one service to be selected");
  }
  const { name } = await projectOrName(context, flags, args);
  const { containers: api } = context.client;
  const choice = { all: true, oneOff: false, services: args };
  const containers = (await projectContainers(context.client, name, choice)).filter(
    ({ number }) => index <= 0 || number === index,
  );
  const options = {
    ...{ stdout: true, stderr: true, timestamps: true, follow },
    since: parseTimeFlag(flags.since),
    until: parseTimeFlag(flags.until),
    tail: flags.tail ?? "all",
  };
  const sources = await Promise.all(
    containers.map(async ({ summary: { Id } }) => {
      const { Config } = await api.inspect(Id);
      return { parts: api.logs(Id, Config.Tty, options), framed: !Config.Tty };
    }),
  );
  const names = containers.map((container) => shortName(container.name, name));
  const prefix = flags["no-log-prefix"]
    ? () => ""
    : growingPrefix(context, names, !flags["no-color"]);
  // docker compose has all lines on the standard output.
  await showMerged(sources, { follow, timestamps, prefix, sink: () => context.out });
  return 0;
};

/** Without the project before it: "web-1"; a name of the user's own is whole. */
const shortName = (name: string, project: string) =>
  name.startsWith(`${project}-`) ? name.slice(project.length + 1) : name;

/** As wide as the longest name that has spoken, which is docker compose's way. */
function growingPrefix(context: Context, names: readonly string[], isColoured: boolean) {
  let width = 0;
  return (index: number) => {
    const name = names[index] ?? "";
    width = Math.max(width, name.length + 1);
    const text = `${name.padEnd(width)} | `;
    return isColoured ? paintOf(context.style, index)(text) : text;
  };
}
