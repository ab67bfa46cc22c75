/**
 * The files whose tests took more than `limit` milliseconds together, by the output of `bun test`,
 * slowest first. Files that run side by side take turns in it.
 */
export function slowFiles(output: string, limit: number): { file: string; took: number }[] {
  const times = new Map<string, number>();
  let file = "";
  for (const line of output.split("\n")) {
    file = /^(\S+\.test\.ts):$/.exec(line)?.[1] ?? file;
    const [, amount, unit] = /^\((?:pass|fail)\) .* \[([\d.]+)(m?s)\]$/.exec(line) ?? [];
    const took = Number(amount ?? 0) * (unit === "s" ? 1000 : 1);
    times.set(file, (times.get(file) ?? 0) + took);
  }
  return [...times]
    .map(([file, took]) => ({ file, took }))
    .filter(({ took }) => took > limit)
    .sort((a, b) => b.took - a.took);
}
