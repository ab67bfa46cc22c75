import { setTimeout as delay } from "node:timers/promises";
import { formatBytes } from "#base";
import type { Context } from "../context.ts";
import { failureText } from "../failure.ts";
import { humanSince } from "../human.ts";
import { cpuPercent, sparkline, usageRow } from "../usage.ts";
import { findingsOf } from "../verb/why.ts";
import { chosenItem, type Item, type Model, type Panel } from "./model.ts";

/** Lines of a log that are kept. */
const maxLines = 2000;

/** Shows what is on the right, again and again until the signal. */
export async function followDetails(
  context: Context,
  model: Model,
  show: (lines: readonly string[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const item = chosenItem(model);
  if (!item) return;
  try {
    if (model.panel !== "containers") show(await infoLines(context, model.panel, item));
    else if (model.tab === "logs") await followLog(context, item, show, signal);
    else if (model.tab === "stats") await followStats(context, item, show, signal);
    else show(await whyLines(context, item));
  } catch (error) {
    if (!signal.aborted) show([failureText(error)]);
  }
}

async function followLog(
  { client }: Context,
  { id, state }: Item,
  show: (lines: readonly string[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const { Config } = await client.containers.inspect(id);
  const follow = state === "running" || state === "paused";
  const options = { stdout: true, stderr: true, tail: "500", follow, signal };
  let rest = "";
  let lines: string[] = [];
  for await (const { bytes } of client.containers.logs(id, Config.Tty, options)) {
    const parts = (rest + Buffer.from(bytes).toString()).split("\n");
    rest = (parts.pop() ?? "").slice(-10_000);
    lines = [...lines, ...parts].slice(-maxLines);
    show(rest === "" ? lines : [...lines, rest]);
  }
  if (lines.length === 0 && rest === "") show(["(the log is empty)"]);
}

async function followStats(
  { client }: Context,
  { id, name }: Item,
  show: (lines: readonly string[]) => void,
  signal: AbortSignal,
): Promise<void> {
  let before = await client.containers.stats(id);
  const percents: number[] = [];
  for (;;) {
    await delay(1000, undefined, { signal });
    const now = await client.containers.stats(id);
    percents.push(cpuPercent(before.cpu_stats, now.cpu_stats));
    const row = usageRow(now, before, { container: name, trunc: true });
    const graph = sparkline(percents.slice(-40), 100 * (now.cpu_stats.online_cpus ?? 1));
    show([
      `CPU        ${row.CPUPerc}`,
      `           ${graph}`,
      `Memory     ${row.MemUsage}  ${row.MemPerc}`,
      `Network    ${row.NetIO}`,
      `Disk       ${row.BlockIO}`,
      `Processes  ${row.PIDs}`,
    ]);
    before = now;
  }
}

async function whyLines(context: Context, { id }: Item): Promise<readonly string[]> {
  const findings = await findingsOf(context, await context.client.containers.inspect(id));
  return findings.flatMap(({ says, evidence, advice }) => [
    says,
    ...evidence.map((line) => `  ${line}`),
    ...advice.map((line) => `  -> ${line}`),
    "",
  ]);
}

async function infoLines(
  { client }: Context,
  panel: Panel,
  { id, name }: Item,
): Promise<readonly string[]> {
  if (panel === "volumes") {
    const { Driver, Mountpoint, CreatedAt, Labels } = await client.volumes.inspect(name);
    return [
      ...[`Name     ${name}`, `Driver   ${Driver}`, `Path     ${Mountpoint}`],
      `Created  ${CreatedAt}`,
      ...Object.entries(Labels ?? {}).map(([key, value]) => `Label    ${key}=${value}`),
    ];
  }
  const image = await client.images.inspect(id);
  const layers = await client.images.history(id);
  return [
    ...(image.RepoTags ?? []).map((tag) => `Name     ${tag}`),
    ...[`ID       ${image.Id}`, `Size     ${formatBytes(image.Size)}`],
    `Created  ${humanSince(Date.parse(image.Created ?? ""))}`,
    `For      ${image.Os}/${image.Architecture}`,
    "",
    ...layers.map(({ Size, CreatedBy }) => `${formatBytes(Size).padStart(8)}  ${CreatedBy}`),
  ];
}
