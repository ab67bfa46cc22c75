import { accessSync, constants, existsSync } from "node:fs";
import { type Finding, finding } from "./finding.ts";
import { readOr } from "./kernel-checks.ts";

const root = "/sys/fs/cgroup";

interface Controller {
  readonly name: string;
  readonly needed: boolean;
  readonly without: string;
}

const controllers: readonly Controller[] = [
  { name: "memory", needed: true, without: "no --memory, and no report of out-of-memory kills" },
  { name: "pids", needed: true, without: "no --pids-limit" },
  { name: "cpu", needed: false, without: "no --cpus, --cpu-shares" },
  { name: "cpuset", needed: false, without: "no --cpuset-cpus, --cpuset-mems" },
];

/** Which cgroups are mounted, and which controllers they have; v2 wins where both are mounted. */
export function cgroupFindings(): Finding[] {
  const unified = existsSync(`${root}/cgroup.controllers`);
  const there = unified
    ? readOr(`${root}/cgroup.controllers`, "").split(" ")
    : controllers.map(({ name }) => name).filter((name) => existsSync(`${root}/${name}/tasks`));
  const version = unified ? "v2" : there.length > 0 ? "v1" : "none mounted";
  const place = unified ? root : `${root}/memory`;
  return [
    finding("Limits", {
      name: "cgroups",
      ok: unified || there.length > 0,
      needed: true,
      found: version,
      without: "containers cannot be limited, counted or killed as a whole",
      fix: "mount -t cgroup2 none /sys/fs/cgroup",
    }),
    ...controllers.map(({ name, needed, without }) =>
      finding("Limits", {
        name: `${name} controller`,
        ok: there.includes(name),
        needed,
        found: there.includes(name) ? version : "not there",
        without,
        fix: unified
          ? `boot with cgroup_enable=${name}`
          : `mount -t cgroup -o ${name} none ${root}/${name}`,
      }),
    ),
    finding("Limits", {
      name: "cgroup tree",
      ok: isWritable(place),
      needed: true,
      found: isWritable(place) ? "writable" : `${place} is read-only`,
      without: "no cgroup can be made",
      fix: "run as root, where the tree is mounted read-write",
    }),
  ];
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
