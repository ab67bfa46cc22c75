import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { mountTable } from "#kernel";
import { instanceIdOf } from "../../src/main/roots.ts";
import type { TestRoots } from "./engine.ts";

const patience = 60_000;
/** The runtime's own, and namespaces that are held ready. */
const descriptorsMore = 10;
/**
 * A daemon at rest: itself with the launchers that are kept ready, and the default bridge with the
 * ports that are made ahead. Some of these may be on their way when its belongings are looked at.
 */
const atRest = /^(process number [1-3] in \S+\/engine|(port [1-4] of )?\/sys\/class\/net\/\S+)$/;

interface EngineHoldings {
  /** Resolves once there is something that was not there before. */
  grown(): Promise<void>;
  /** Fails when after a minute there is still something that was not there before. */
  settled(): Promise<void>;
}

/**
 * The belongings of one engine on this machine: its own files, mounts, cgroups, processes, network
 * interfaces and descriptors, whatever others do meanwhile. The engine is a daemon, or part of this
 * process.
 */
export function engineHoldings(roots: TestRoots): EngineHoldings {
  const before = holdings(roots);
  const descriptors = openDescriptors(roots);
  const isDaemon = contents(join(roots.runRoot, "engine.pid")) !== undefined;
  const isExpected = (each: string) => before.has(each) || (isDaemon && atRest.test(each));
  const more = () => [...holdings(roots)].filter((each) => !isExpected(each));
  return {
    async grown() {
      while (more().length === 0) await delay(5);
    },
    async settled() {
      let left: string[] = [];
      for (const end = Date.now() + patience; Date.now() < end; await delay(20)) {
        left = more();
        const opened = openDescriptors(roots) - descriptors;
        if (opened > descriptorsMore) left.push(`${opened} descriptors`);
        if (left.length === 0) return;
      }
      throw new Error(`left behind: ${left.join("; ")}`);
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

/** The engine's cgroups in every hierarchy, with their processes by their number: launchers that are kept ready are others each time. */
function cgroups(runRoot: string): string[] {
  const name = `thimble-${instanceIdOf(runRoot)}`;
  const found: string[] = [];
  for (const { type, target } of mountTable()) {
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const top = join(target, name);
    for (const each of [top, ...entries(top).map((child) => join(top, child))]) {
      const processes = contents(join(each, "cgroup.procs"));
      if (processes === undefined) continue;
      const others = processes.split("\n").filter((pid) => !["", `${process.pid}`].includes(pid));
      found.push(each, ...others.map((_, n) => `process number ${n + 1} in ${each}`));
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
export function entries(path: string): string[] {
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
