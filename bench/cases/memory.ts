import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connectApi } from "../engine-api.ts";
import { parentOf, proportionalSetSize, residentSetSize } from "../machine.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";

const monitorLimit = 60;
const engineLimit = 90 * 1024;

/** What a monitor weighs, and what a thousand runs leave behind in the engine and in the kernel. */
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

interface Belongings {
  readonly descriptors: number;
  readonly mounts: number;
  readonly networkNamespaces: number;
  readonly cgroups: number;
  readonly children: number;
}

function belongings(pid: number): Belongings {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const read = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      // Gone meanwhile, or the init of a sandbox that keeps its own to itself.
      const { code = "" } = error as NodeJS.ErrnoException;
      if (["ENOENT", "ESRCH", "EACCES"].includes(code)) return undefined;
      throw error;
    }
  };
  const namespaces = processes.map((name) => read(() => readlinkSync(`/proc/${name}/ns/net`)));
  const parents = processes.map((name) => read(() => parentOf(Number(name))));
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    mounts: readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n").length,
    networkNamespaces: new Set(namespaces.filter(Boolean)).size,
    cgroups: readFileSync("/proc/cgroups", "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .reduce((sum, line) => sum + Number(line.split("\t")[2]), 0),
    children: parents.filter((parent) => parent === pid).length,
  };
}

async function thousandRuns({ subject, image }: Stage): Promise<Finding[]> {
  const api = connectApi(subject.host);
  for (let i = 0; i < 20; i++) await api.runOnce(image, "default");
  await Bun.sleep(3000);
  const before = belongings(subject.pid);
  for (let i = 0; i < 1000; i++) await api.runOnce(image, "default");
  await Bun.sleep(10_000);
  const after = belongings(subject.pid);
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
      figure: grown.map((key) => `${key} ${before[key]} → ${after[key]}`).join(", ") || "nothing",
      bar: "no descriptor, mount, network namespace, cgroup or process",
      holds: grown.length === 0,
    },
  ];
}
