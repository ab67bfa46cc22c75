import { setTimeout as delay } from "node:timers/promises";
import { isFault } from "#base";
import type { ContainerStats } from "#wire";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { type Listing, printListing, withOwnFormat } from "../listing.ts";
import type { statsFlags } from "../table/containers.ts";
import { cpuPercent, sparkline, usageRow } from "../usage.ts";

const table =
  "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";

const heads = {
  Container: "CONTAINER",
  ID: "CONTAINER ID",
  Name: "NAME",
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  NetIO: "NET I/O",
  BlockIO: "BLOCK I/O",
  PIDs: "PIDS",
  Graph: "CPU, LAST 20 S",
};

/** Milliseconds between two looks; the use of a CPU is the difference of two. */
const interval = 1_000;
const graphLength = 20;

type Flags = Parameters<Verb<typeof statsFlags>>[1]["flags"];

/** The usage of one container at the two latest looks, and of its CPU at those before. */
interface Seen {
  readonly ref: string;
  readonly now: ContainerStats;
  readonly before: ContainerStats | undefined;
  readonly percents: readonly number[];
}

export const stats: Verb<typeof statsFlags> = async (context, { flags, args }) => {
  if (args.length > 0) return await watchUsage(context, flags, args);
  return await watchUsage(context, flags, async () => {
    const found = await context.client.containers.list({ all: flags.all });
    return found.map(({ Id }) => Id);
  });
};

/** Those that were asked for, or what finds them before each look. */
type Watched = readonly string[] | (() => Promise<readonly string[]>);

/** Shows the usage of containers, once or until the program is ended. */
export async function watchUsage(
  context: Context,
  given: Flags,
  watched: Watched,
): Promise<number> {
  const flags = withOwnFormat(context, given, "stats");
  let seen = await look(context, watched, []);
  for (;;) {
    await delay(interval);
    seen = await look(context, watched, seen);
    await show(context, flags, seen);
    if (flags["no-stream"]) return 0;
  }
}

/** Containers that were asked for must exist at first; later they may go. */
async function look(
  context: Context,
  watched: Watched,
  earlier: readonly Seen[],
): Promise<readonly Seen[]> {
  const { containers } = context.client;
  const isFound = typeof watched === "function";
  const refs = isFound
    ? await watched()
    : watched.filter((ref) => earlier.length === 0 || earlier.some((each) => each.ref === ref));
  const found = await Promise.all(
    refs.map(async (ref): Promise<Seen | undefined> => {
      const last = earlier.find((each) => each.ref === ref);
      try {
        const now = await containers.stats(ref);
        const percent = cpuPercent(last?.now.cpu_stats, now.cpu_stats);
        const percents = last ? [...last.percents, percent].slice(-graphLength) : [];
        return { ref, now, before: last?.now, percents };
      } catch (error) {
        if (isFault(error, "not_found") && (last || isFound)) return undefined;
        throw error;
      }
    }),
  );
  return found.filter((each) => each !== undefined);
}

/** On a terminal each look takes the place of the one before; elsewhere it follows it. */
async function show(context: Context, flags: Flags, seen: readonly Seen[]): Promise<void> {
  const replaces = context.out.isTerminal && !flags["no-stream"];
  const withGraph = replaces && !flags.format && !flags.json;
  const rows = seen.map(({ ref, now, before, percents }) => ({
    ...usageRow(now, before, { container: ref, trunc: !flags["no-trunc"] }),
    ...(withGraph && {
      Graph: sparkline(percents, 100 * (now.cpu_stats.online_cpus ?? 1)),
    }),
  }));
  if (replaces) await context.out.write("\x1b[H\x1b[2J");
  const listing: Listing = { table: withGraph ? `${table}\t{{.Graph}}` : table, heads, rows };
  await printListing(context, listing, flags);
}
