import { Fault } from "#base";
import type { ObservedContainer } from "#compose";
import type { Verb } from "../command.ts";
import { printListing, type Row } from "../listing.ts";
import type { psFlags } from "../table/compose-look.ts";
import { containerRow, heads } from "../verb/ps.ts";
import { projectContainers } from "./containers.ts";
import { projectOrName } from "./project.ts";

const table =
  "table {{.Name}}\t{{.Image}}\t{{.Command}}\t{{.Service}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}";

export const ps: Verb<typeof psFlags> = async (context, { flags, args }) => {
  const wanted = [...flags.status, ...statusOf(flags.filter)];
  const { name, project } = await projectOrName(context, flags, args);
  const isOwnOnly = args.length === 0 && !flags.orphans && project !== undefined;
  const services = isOwnOnly ? [...project.services.keys()] : args;
  const all = flags.all || wanted.length > 0;
  const found = await projectContainers(context.client, name, { all, oneOff: flags.all, services });
  const shown = found.filter(
    ({ summary }) => wanted.length === 0 || wanted.includes(summary.State),
  );
  if (flags.quiet || flags.services) {
    const words = shown.map(({ summary, service }) => (flags.quiet ? summary.Id : service));
    await context.out.write([...new Set(words)].map((word) => `${word}\n`).join(""));
    return 0;
  }
  const rows = shown.map((container) => row(container, name, !flags["no-trunc"]));
  const listing = { table, heads: { ...heads, ...ownHeads }, rows };
  await printListing(context, listing, { format: flags.format, json: false });
  return 0;
};

const ownHeads = {
  Name: "NAME",
  Project: "PROJECT",
  Service: "SERVICE",
  ExitCode: "EXIT CODE",
  Publishers: "PUBLISHERS",
};

/** The states of filters "status=STATE". */
function statusOf(filter: string | undefined): readonly string[] {
  if (!filter) return [];
  const [key, value] = filter.split("=", 2);
  if (value === undefined) {
    throw new Fault("invalid", "arguments to --filter should be in form KEY=VAL");
  }
  if (key !== "status") throw new Fault("invalid", `unknown filter ${key}`);
  return [value];
}

function row({ name, service, summary }: ObservedContainer, project: string, trunc: boolean): Row {
  const { Platform: _, Restarts: __, Memory: ___, ...fields } = containerRow(summary, trunc);
  const exited = /^Exited \((\d+)\)/.exec(summary.Status)?.[1];
  const health = /\((?:health: )?(healthy|unhealthy|starting)\)$/.exec(summary.Status)?.[1];
  return {
    ...fields,
    Name: name,
    Project: project,
    Service: service,
    ExitCode: Number(exited ?? 0),
    Health: health ?? "",
    Publishers: summary.Ports.map(({ IP = "", PrivatePort, PublicPort = 0, Type }) => ({
      URL: IP,
      TargetPort: PrivatePort,
      PublishedPort: PublicPort,
      Protocol: Type,
    })),
  };
}
