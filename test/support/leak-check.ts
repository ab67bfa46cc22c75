import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { mountTable } from "#kernel";

/** What a test must leave as it found it. */
interface Holdings {
  readonly mounts: readonly string[];
  readonly monitors: readonly string[];
  readonly cgroups: readonly string[];
  readonly interfaces: readonly string[];
  readonly descriptors: number;
}

const patience = 4000;

/** The machine's state now; `settled` fails when, after a little patience, it is another one. */
export function leakCheck(): { settled(): Promise<void> } {
  const before = takeStock();
  return {
    async settled() {
      let found: string[] = [];
      for (const end = Date.now() + patience; Date.now() < end; await delay(50)) {
        found = difference(before, takeStock());
        if (found.length === 0) return;
      }
      throw new Error(`left behind: ${found.join("; ")}`);
    },
  };
}

function takeStock(): Holdings {
  return {
    mounts: mountTable().map((entry) => `${entry.id} ${entry.target}`),
    monitors: readdirSync("/proc").filter(isMonitor),
    cgroups: listCgroups(),
    interfaces: readdirSync("/sys/class/net"),
    descriptors: readdirSync("/proc/self/fd").length,
  };
}

function isMonitor(pid: string): boolean {
  if (!/^\d+$/.test(pid)) return false;
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("thimble");
  } catch {
    return false;
  }
}

/** Those of thimble, in every hierarchy that may be mounted. */
function listCgroups(): readonly string[] {
  const hierarchies = mountTable()
    .filter(({ type }) => type === "cgroup" || type === "cgroup2")
    .map(({ target }) => target);
  return hierarchies.flatMap((hierarchy) =>
    readdirSync(hierarchy)
      .filter((name) => name.startsWith("thimble-"))
      .flatMap((name) =>
        readdirSync(`${hierarchy}/${name}`, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map((entry) => `${hierarchy}/${name}/${entry.name}`),
      ),
  );
}

function difference(before: Holdings, after: Holdings): string[] {
  const found: string[] = [];
  for (const kind of ["mounts", "monitors", "cgroups", "interfaces"] as const) {
    const more = after[kind].filter((each) => !before[kind].includes(each));
    if (more.length > 0) found.push(`${kind}: ${more.join(", ")}`);
  }
  // The runtime opens a few of its own the first time it needs them.
  const more = after.descriptors - before.descriptors;
  if (more > 8) found.push(`${more} descriptors`);
  return found;
}
