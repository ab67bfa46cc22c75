import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { connectApi } from "../engine-api.ts";
import { parentOf, proportionalSetSize, residentSetSize } from "../machine.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import type { Subject } from "../subject.ts";

const monitorLimit = 60;
const engineLimit = 90 * 1024;

/**
 * The memory of a monitor, and the leftovers of a thousand runs in the engine and in the kernel.
 */
export async function memory(stage: Stage): Promise<Finding[]> {
  return [...(await monitors(stage)), ...(await thousandRuns(stage))];
}

async function monitors({ subject, peers, image }: Stage): Promise<Finding[]> {
  const api = connectApi(subject.host);
  const ids = [];
  for (let i = 0; i < 10; i++) {
    const id = await api.create(image, ["/bin/sleep", "1000"]);
    await api.start(id);
    ids.push(id);
  }
  const sizes = await Promise.all(
    ids.map(async (id) => proportionalSetSize(parentOf(await api.pid(id)))),
  );
  const average = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  for (const id of ids) await api.remove(id);
  const findings: Finding[] = [
    {
      kind: "figure",
      title: "monitor memory (PSS), average of 10 containers",
      figure: `${average.toFixed(1)} KiB`,
      bar: `at most ${monitorLimit} KiB`,
      holds: average <= monitorLimit,
    },
  ];
  if (peers) findings.push(await shim(peers.dockerHost, image));
  return findings;
}

async function shim(host: string, image: string): Promise<Finding> {
  const api = connectApi(host);
  const id = await api.create(image, ["/bin/sleep", "1000"]);
  await api.start(id);
  const size = proportionalSetSize(parentOf(await api.pid(id)));
  await api.remove(id);
  return {
    kind: "figure",
    title: "containerd-shim of Docker (PSS), one container",
    figure: `${size} KiB`,
  };
}

/**
 * The objects of one engine in the kernel; counted by its own cgroup and roots, since others may be
 * at work beside it.
 */
interface Belongings {
  readonly descriptors: number;
  readonly mounts: number;
  readonly networkNamespaces: number;
  readonly cgroups: number;
  readonly processes: number;
}

function belongings({ pid, dataRoot, runRoot }: Subject): Belongings {
  const folders = ownCgroups(pid);
  const processes = new Set(
    folders.flatMap((folder) => read(() => lines(join(folder, "cgroup.procs"))) ?? []),
  );
  const descriptors = readdirSync(`/proc/${pid}/fd`).map((name) =>
    read(() => readlinkSync(`/proc/${pid}/fd/${name}`)),
  );
  const held = descriptors.filter((target) => target?.startsWith("net:["));
  const lived = [...processes].map((each) => read(() => readlinkSync(`/proc/${each}/ns/net`)));
  return {
    descriptors: descriptors.length,
    mounts: lines("/proc/self/mountinfo").filter(
      (line) => line.includes(dataRoot) || line.includes(runRoot),
    ).length,
    networkNamespaces: new Set([...held, ...lived].filter(Boolean)).size,
    cgroups: folders.length,
    processes: processes.size,
  };
}

/** The engine's directories in every hierarchy: its own lies beside those of its containers. */
function ownCgroups(pid: number): string[] {
  const parents = lines(`/proc/${pid}/cgroup`).flatMap((line) => {
    const [, controllers = "", path = ""] = line.split(":");
    const places = [controllers.replace("name=", ""), ...controllers.split(","), "unified", ""];
    const name = places.find((place) => existsSync(join("/sys/fs/cgroup", place, path)));
    return name === undefined || path === "/" ? [] : [join("/sys/fs/cgroup", name, path, "..")];
  });
  return parents.flatMap((parent) =>
    readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(parent, entry.name)),
  );
}

function lines(path: string): string[] {
  return readFileSync(path, "utf8").split("\n").filter(Boolean);
}

/** Undefined for a file that is gone meanwhile. */
function read<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENOENT", "ESRCH", "ENODEV"].includes(code)) return undefined;
    throw error;
  }
}

async function thousandRuns({ subject, image }: Stage): Promise<Finding[]> {
  const api = connectApi(subject.host);
  for (let i = 0; i < 20; i++) await api.runOnce(image, "default");
  await Bun.sleep(3000);
  const before = belongings(subject);
  for (let i = 0; i < 1000; i++) await api.runOnce(image, "default");
  await Bun.sleep(10_000);
  const after = belongings(subject);
  const resident = residentSetSize(subject.pid);
  const grown = (Object.keys(before) as (keyof Belongings)[]).filter(
    (key) => after[key] > before[key],
  );
  return [
    {
      kind: "figure",
      title: "engine, idle after 1,000 runs (RSS)",
      figure: `${(resident / 1024).toFixed(1)} MB`,
      bar: "at most 90 MB",
      holds: resident <= engineLimit,
    },
    {
      kind: "figure",
      title: "left behind by 1,000 runs",
      figure:
        grown.map((key) => `${key} ${before[key]} → ${after[key]}`).join(", ") ||
        `nothing (${Object.entries(after)
          .map(([key, count]) => `${key} ${count}`)
          .join(", ")})`,
      bar: "no descriptor, mount, network namespace, cgroup or process",
      holds: grown.length === 0,
    },
  ];
}
