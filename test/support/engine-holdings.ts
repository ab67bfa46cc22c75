import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { mountTable } from "#kernel";
import { instanceIdOf } from "../../src/main/roots.ts";
import type { TestRoots } from "./engine.ts";

const patience = 5000;
/** The runtime's own, and namespaces that are held ready. */
const descriptorsMore = 10;

/**
 * The belongings of one engine on this machine: its own files, mounts, cgroups, processes, network
 * interfaces and descriptors, whatever others do meanwhile. The engine is a daemon, or part of this
 * process. `settled` fails when, after a little patience, there is something that was not there
 * before.
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
    ...interfaces(runRoot),
  ]);
}

/** The engine's cgroups in every hierarchy, with the processes in them. */
function cgroups(runRoot: string): string[] {
  const name = `thimble-${instanceIdOf(runRoot)}`;
  const found: string[] = [];
  for (const { type, target } of mountTable()) {
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const top = join(target, name);
    for (const each of [top, ...entries(top).map((child) => join(top, child))]) {
      const processes = contents(join(each, "cgroup.procs"));
      if (processes === undefined) continue;
      found.push(each);
      for (const pid of processes.split("\n")) {
        if (pid !== "" && pid !== String(process.pid)) found.push(`process ${pid} in ${each}`);
      }
    }
  }
  return found;
}

/** The bridge, which says whose it is, and its ports by their number: those that are made ahead have new names each time. */
function interfaces(runRoot: string): string[] {
  const places = entries("/sys/class/net").map((name) => join("/sys/class/net", name));
  const bridge = places.find(
    (place) => contents(join(place, "ifalias"))?.trim() === `thimble ${runRoot}`,
  );
  if (bridge === undefined) return [];
  return [bridge, ...entries(join(bridge, "brif")).map((_, n) => `port ${n + 1} of ${bridge}`)];
}

function openDescriptors({ runRoot }: TestRoots): number {
  const pid = contents(join(runRoot, "engine.pid"))?.trim() ?? "self";
  return entries(`/proc/${pid}/fd`).length;
}

/** Others make and remove these meanwhile: a directory that is gone counts as empty. */
function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function contents(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
