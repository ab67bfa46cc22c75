import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { isFault } from "#base";
import type { FdIndex } from "#helper";
import { capabilityMask } from "./capability.ts";
import { compileExec } from "./compile-exec.ts";
import { boundDescriptors } from "./compile-mount.ts";
import { compilePlan, joinedPaths, type PlanInput } from "./compile-plan.ts";
import { defaultSpec, type SpecOptions } from "./default-spec.ts";
import { describePlan } from "./describe-plan.ts";
import type { Machine } from "./machine.ts";
import type { OciSpec } from "./oci-spec.ts";

const root = new URL("./testdata/", import.meta.url).pathname;
const everything = (1n << 41n) - 1n;

/** What input.json of a case holds: either Docker's options or a whole OCI configuration. */
interface Case {
  readonly machine?: Partial<Omit<Machine, "capabilities" | "hardLimits">> & {
    readonly lacks?: readonly string[];
    readonly hardLimits?: Readonly<Record<string, number>>;
  };
  readonly options?: Omit<SpecOptions, "machine">;
  readonly spec?: OciSpec;
  readonly files?: readonly string[];
  readonly plan: Omit<PlanInput, "spec" | "machine" | "kindOf" | "log"> & {
    readonly log?: { readonly path: string; readonly maxSize: number; readonly maxFiles: number };
  };
}

function machineOf({
  lacks = [],
  hardLimits = {},
  ...rest
}: NonNullable<Case["machine"]>): Machine {
  return {
    lowerdirPlus: true,
    cgroupVersion: 2,
    ...rest,
    capabilities: everything & ~capabilityMask(lacks),
    hardLimits: Object.fromEntries(Object.entries(hardLimits).map(([k, v]) => [k, BigInt(v)])),
  };
}

/** The plan as people see it, with all warnings; or the fault. */
function outcome(input: Case): string {
  const machine = machineOf(input.machine ?? {});
  try {
    const spec = input.options
      ? defaultSpec({ ...input.options, machine })
      : (input.spec ?? { ociVersion: "1.2.1" });
    const { log, ...rest } = input.plan;
    const { plan, warnings } = compilePlan({
      ...rest,
      ...(log && { log: { ...log, maxSize: BigInt(log.maxSize) } }),
      spec,
      machine,
      kindOf: (path) => (input.files?.includes(path) ? "file" : "directory"),
    });
    const said = warnings.map((warning) => `warning: ${warning}\n`).join("");
    return said + describePlan(plan);
  } catch (error) {
    if (!isFault(error)) throw error;
    return `fault ${error.code}: ${error.message}\n`;
  }
}

describe("configuration to plan", () => {
  for (const name of readdirSync(root).toSorted()) {
    test(name, () => {
      const input = JSON.parse(readFileSync(`${root}${name}/input.json`, "utf8")) as Case;
      const got = outcome(input);
      const wanted = `${root}${name}/want.txt`;
      if (process.env.UPDATE === "1") writeFileSync(wanted, got);
      expect(existsSync(wanted) ? readFileSync(wanted, "utf8") : "").toBe(got);
    });
  }
});

const stdio = { mode: "pipes", stdin: false, stdinOnce: false } as const;
const machine = machineOf({});
const base: PlanInput = {
  id: "c1",
  rootAnchor: "/run/thimble/root",
  rootMount: { type: "bind", source: "/srv/root", options: ["bind"] },
  stdio,
  machine,
  kindOf: () => "directory",
  spec: {
    ociVersion: "1.2.1",
    process: { user: { uid: 0, gid: 0 }, args: ["true"], cwd: "/" },
    linux: { namespaces: [{ type: "mount" }] },
  },
};
const withSpec = (change: Partial<OciSpec>): PlanInput => ({
  ...base,
  spec: { ...base.spec, ...change },
});
const withLinux = (change: OciSpec["linux"]) =>
  withSpec({ linux: { ...base.spec.linux, ...change } });
const withProcess = (change: Partial<NonNullable<OciSpec["process"]>>) =>
  withSpec({
    process: { user: { uid: 0, gid: 0 }, args: ["true"], cwd: "/", ...change },
  });

describe("a fault names the field", () => {
  const cases: readonly (readonly [string, PlanInput, string])[] = [
    ["no mount namespace", withLinux({ namespaces: [] }), "linux.namespaces:"],
    [
      "a namespace twice",
      withLinux({ namespaces: [{ type: "mount" }, { type: "pid" }, { type: "pid" }] }),
      "linux.namespaces[2].type",
    ],
    [
      "a relative namespace path",
      withLinux({ namespaces: [{ type: "mount" }, { type: "network", path: "1/ns/net" }] }),
      "linux.namespaces[1].path",
    ],
    ["hostname of the host", withSpec({ hostname: "x" }), "hostname:"],
    ["no command", withProcess({ args: [] }), "process.args"],
    ["a NUL in an argument", withProcess({ args: ["a", "b\0"] }), "process.args[1]"],
    ["a relative directory", withProcess({ cwd: "tmp" }), "process.cwd"],
    [
      "the uid that means no change",
      withProcess({ user: { uid: 2 ** 32 - 1, gid: 0 } }),
      "process.user",
    ],
    [
      "an unknown limit",
      withProcess({ rlimits: [{ type: "RLIMIT_X", soft: 1, hard: 1 }] }),
      "process.rlimits[0].type",
    ],
    [
      "soft above hard",
      withProcess({ rlimits: [{ type: "RLIMIT_CPU", soft: 2, hard: 1 }] }),
      "process.rlimits[0]:",
    ],
    ["an impossible OOM score", withProcess({ oomScoreAdj: 1001 }), "process.oomScoreAdj"],
    [
      "an unknown capability",
      withProcess({ capabilities: { bounding: ["CAP_SYS_ADMN"] } }),
      "did you mean CAP_SYS_ADMIN",
    ],
    [
      "a relative target",
      withSpec({ mounts: [{ destination: "x", type: "tmpfs" }] }),
      "mounts[0].destination",
    ],
    [
      "a mount on the root",
      withSpec({ mounts: [{ destination: "/a/..", type: "tmpfs" }] }),
      "mounts[0].destination",
    ],
    ["a mount without a type", withSpec({ mounts: [{ destination: "/x" }] }), "mounts[0].type"],
    [
      "a bind without a source",
      withSpec({ mounts: [{ destination: "/x", type: "bind" }] }),
      "mounts[0].source",
    ],
    [
      "an option the kernel cannot take",
      withSpec({
        mounts: [{ destination: "/x", type: "tmpfs", options: [`a=${"b".repeat(300)}`] }],
      }),
      "mounts[0].options",
    ],
    [
      "a sysctl of the host",
      withLinux({ sysctl: { "kernel.panic": "1" } }),
      "linux.sysctl: kernel.panic",
    ],
    [
      "a sysctl of a shared namespace",
      withLinux({ sysctl: { "net.core.somaxconn": "1" } }),
      "linux.sysctl: net.core.somaxconn",
    ],
    ["a relative masked path", withLinux({ maskedPaths: ["proc/kcore"] }), "linux.maskedPaths[0]"],
    [
      "a seccomp action without an agent",
      withLinux({ seccomp: { defaultAction: "SCMP_ACT_NOTIFY" } }),
      "SCMP_ACT_NOTIFY",
    ],
    [
      "an unknown architecture",
      withLinux({ seccomp: { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_Z80"] } }),
      "linux.seccomp.architectures",
    ],
    [
      "a hook",
      withSpec({ hooks: { createRuntime: [{ path: "/bin/true" }] } }),
      "hooks.createRuntime: thimble runs no hooks",
    ],
    ["a label", withProcess({ selinuxLabel: "x" }), "process.selinuxLabel:"],
    ["an idle class", withProcess({ ioPriority: { class: "x", priority: 1 } }), "ioPriority:"],
    ["another personality", withLinux({ personality: { domain: "LINUX32" } }), "personality:"],
    ["a cgroup of one's own", withLinux({ cgroupsPath: "/x" }), "linux.cgroupsPath:"],
    [
      "owners of a mount",
      withSpec({
        mounts: [
          {
            destination: "/x",
            type: "tmpfs",
            uidMappings: [{ containerID: 0, hostID: 1, size: 1 }],
            gidMappings: [{ containerID: 0, hostID: 1, size: 1 }],
          },
        ],
      }),
      "mounts[0].uidMappings:",
    ],
  ];
  for (const [name, input, field] of cases) {
    test(name, () => expect(() => compilePlan(input)).toThrow(field));
  }
  test("the plain configuration is fine", () => {
    expect(compilePlan(base).plan.process?.argv).toEqual(["true"]);
  });
  test("an empty value is not a request", () => {
    const linux = {
      ...base.spec.linux,
      cgroupsPath: "",
      personality: { domain: "LINUX" },
    } as const;
    expect(() => compilePlan(withSpec({ linux, hooks: { poststop: [] } }))).not.toThrow();
  });
  test("a terminal has the size of the configuration", () => {
    const consoleSize = { height: 30, width: 90 };
    const { plan } = compilePlan(withProcess({ terminal: true, consoleSize }));
    expect(plan.stdio).toMatchObject({ rows: 30, columns: 90 });
  });
});

describe("options that the machine cannot carry out", () => {
  const poor = machineOf({ lacks: ["CAP_SYS_RESOURCE"], hardLimits: { RLIMIT_NOFILE: 4096 } });

  test("an explicit limit above the hard one is a fault, below it is not", () => {
    const ask = (hard: number) => ({
      ...withProcess({ rlimits: [{ type: "RLIMIT_NOFILE", soft: 10, hard }] }),
      machine: poor,
    });
    expect(() => compilePlan(ask(8192))).toThrow("CAP_SYS_RESOURCE");
    expect(() => compilePlan(ask(-1))).toThrow("unlimited");
    expect(compilePlan(ask(4096)).plan.resourceLimits).toEqual([
      { resource: 7, soft: 10n, hard: 4096n },
    ]);
  });

  test("a negative OOM score is a fault, zero is not", () => {
    const ask = (oomScoreAdj: number) => ({ ...withProcess({ oomScoreAdj }), machine: poor });
    expect(() => compilePlan(ask(-1))).toThrow("CAP_SYS_RESOURCE");
    expect(compilePlan(ask(0)).plan.oomScoreAdj).toBe(0);
  });

  test("capabilities are cut to those of the machine, with a warning", () => {
    const names = ["CAP_CHOWN", "CAP_SYS_RESOURCE"];
    const { plan, warnings } = compilePlan({
      ...withProcess({ capabilities: { bounding: names, permitted: names, effective: names } }),
      machine: poor,
    });
    expect(plan.capabilities).toEqual({
      bounding: 1n,
      effective: 1n,
      permitted: 1n,
      inheritable: 0n,
      ambient: 0n,
    });
    expect(warnings).toEqual(["this machine cannot give the container CAP_SYS_RESOURCE"]);
  });
});

describe("layers", () => {
  const layers = (count: number) => Array.from({ length: count }, (_, i) => `lowerdir+=/l:${i},x`);
  const mounted = (count: number, lowerdirPlus: boolean) =>
    compilePlan({
      ...base,
      machine: { ...machine, lowerdirPlus },
      rootMount: {
        type: "overlay",
        source: "overlay",
        options: [...layers(count), "upperdir=/u", "workdir=/w", "volatile"],
      },
    }).plan.mounts[0]?.source;

  test("one option each where the kernel takes that", () => {
    expect(mounted(2, true)).toEqual({
      kind: "filesystem",
      type: "overlay",
      options: [
        ["lowerdir+", "/l:0,x"],
        ["lowerdir+", "/l:1,x"],
        ["upperdir", "/u"],
        ["workdir", "/w"],
        ["volatile", null],
      ],
    });
  });

  test("joined and escaped before Linux 6.8", () => {
    expect(mounted(2, false)).toEqual({
      kind: "legacy",
      type: "overlay",
      data: "lowerdir=/l\\:0\\,x:/l\\:1\\,x,upperdir=/u,workdir=/w,volatile",
    });
  });

  test("more than a page of them is a fault there, and fine later", () => {
    expect(() => mounted(500, false)).toThrow("500 layers");
    expect(mounted(500, true)).toBeDefined();
  });
});

test("a namespace with a path is entered in place of a new one", () => {
  const input = withLinux({
    namespaces: [
      { type: "network", path: "/proc/7/ns/net" },
      { type: "mount" },
      { type: "pid", path: "/proc/8/ns/pid" },
      { type: "uts", path: "" },
    ],
  });
  expect(joinedPaths(input.spec)).toEqual(["/proc/7/ns/net", "/proc/8/ns/pid"]);
  expect(compilePlan(input).plan.namespaces).toEqual([
    { kind: "net", join: 0 as FdIndex },
    { kind: "mnt" },
    { kind: "pid", join: 1 as FdIndex },
    { kind: "uts" },
  ]);
});

test("a bind of an open file goes by its descriptor, behind those of namespaces", () => {
  const { spec, ...rest } = withLinux({
    namespaces: [{ type: "network", path: "/proc/7/ns/net" }, { type: "mount" }],
  });
  const bind = (source: string, destination: string) => ({
    ...{ source, destination, type: "bind", options: ["rbind", "rro"] },
  });
  const mounts = [bind("/proc/7/fd/9", "/a"), bind("/srv", "/b"), bind("/proc/7/fd/8", "/c")];
  const input = { ...rest, spec: { ...spec, mounts } };
  expect(boundDescriptors(input.spec)).toEqual(["/proc/7/fd/9", "/proc/7/fd/8"]);
  const sources = compilePlan(input).plan.mounts.map(({ source }) => source);
  expect(sources.slice(-3)).toEqual([
    { kind: "bind-fd", fd: 1 as FdIndex, recursive: true },
    { kind: "bind", path: "/srv", recursive: true },
    { kind: "bind-fd", fd: 2 as FdIndex, recursive: true },
  ]);
});

test("an exec has the process and the filter, and makes nothing", () => {
  const { plan } = compileExec({
    id: "e1",
    process: { user: { uid: 1, gid: 2 }, args: ["id"], cwd: "/tmp", oomScoreAdj: 5 },
    seccomp: { defaultAction: "SCMP_ACT_ALLOW" },
    namespaces: ["mnt", "pid"],
    stdio,
    machine,
  });
  expect(plan).toMatchObject({
    mode: "exec",
    namespaces: [
      { kind: "mnt", join: 0 },
      { kind: "pid", join: 0 },
    ],
    mounts: [],
    devices: [],
    symlinks: [],
    oomScoreAdj: 5,
    process: { argv: ["id"], uid: 1, gid: 2, cwd: "/tmp" },
  });
  expect(plan.seccomp?.byteLength).toBeGreaterThan(0);
  expect(plan.rootAnchor).toBeUndefined();
});
