import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { mountTable } from "#kernel";
import type { TestRoots } from "./engine.ts";

const patience = 5000;
/** The runtime's own, and namespaces that are held ready. */
const descriptorsMore = 10;

/**
 * What one engine holds on this machine: its own files, mounts, cgroups, processes and
 * descriptors, whatever others do meanwhile. `settled` fails when, after a little
 * patience, there is something that was not there before.
 */
export function engineHoldings(roots: TestRoots): { settled(): Promise<void> } {
  const before = holdings(roots);
  const descriptors = openDescriptors(roots);
  return {
    async settled() {
      let more: string[] = [];
      for (const end = Date.now() + patience; Date.now() < end; await delay(20)) {
        more = [...holdings(roots)].filter((each) => !before.has(each));
        const opened = openDescriptors(roots) - descriptors;
        if (opened > descriptorsMore) more.push(`${opened} descriptors`);
        if (more.length === 0) return;
      }
      throw new Error(`left behind: ${more.join("; ")}`);
    },
  };
}

function holdings({ dataRoot, runRoot }: TestRoots): Set<string> {
  const directories = [
    ...["containers", "snapshots", "snapshots/trash", "content/ingest", "content/blobs/sha256"],
    "work",
  ].map((name) => join(dataRoot, name));
  directories.push(...["containers", "execs", "root"].map((name) => join(runRoot, name)));
  const mounts = mountTable().filter(({ target }) =>
    [dataRoot, runRoot].some((root) => target.startsWith(`${root}/`)),
  );
  return new Set([
    ...directories.flatMap((path) => entries(path).map((name) => join(path, name))),
    ...mounts.map(({ target }) => `mount ${target}`),
    ...cgroups(runRoot),
  ]);
}

/** The engine's cgroups in every hierarchy, with the processes in them. */
function cgroups(runRoot: string): string[] {
  const name = `thimble-${createHash("sha256").update(runRoot).digest("hex").slice(0, 8)}`;
  const found: string[] = [];
  for (const { type, target } of mountTable()) {
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const top = join(target, name);
    if (!existsSync(top)) continue;
    for (const each of [top, ...entries(top).map((child) => join(top, child))]) {
      const procs = join(each, "cgroup.procs");
      if (!existsSync(procs)) continue;
      found.push(each);
      for (const pid of readFileSync(procs, "utf8").split("\n"))
        if (pid !== "") found.push(`process ${pid} in ${each}`);
    }
  }
  return found;
}

function openDescriptors({ runRoot }: TestRoots): number {
  const pid = readFileSync(join(runRoot, "engine.pid"), "utf8").trim();
  return entries(`/proc/${pid}/fd`).length;
}

function entries(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}
