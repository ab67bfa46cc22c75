import { beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  compileSeccomp,
  defaultCapabilities,
  defaultSeccompProfile,
  type OciSeccomp,
  resolveSeccomp,
  type SeccompProfile,
  type SeccompRule,
} from "#runtime";
import { runFilter, syscallTables } from "../../src/runtime/testing.ts";

const support = new URL("../support/", import.meta.url).pathname;
const work = mkdtempSync(join(tmpdir(), "seccomp-"));
const reference = join(work, "libseccomp");
const probe = join(work, "probe");

const AMD64 = 0xc000_003e;
const I386 = 0x4000_0003;
const x32Bit = 0x4000_0000;
const ENOSYS = 0x0005_0026;

function build(source: string, target: string, ...libraries: string[]): void {
  const cc = spawnSync("cc", ["-O1", "-Wall", "-o", target, join(support, source), ...libraries]);
  if (cc.status !== 0) throw new Error(`cc ${source}: ${cc.stderr}`);
}

beforeAll(() => {
  if (!existsSync("/usr/include/seccomp.h"))
    throw new Error("this test compares with libseccomp: apt-get install libseccomp-dev");
  build("libseccomp.c", reference, "-lseccomp");
  build("seccomp-probe.c", probe);
  return () => rmSync(work, { recursive: true });
});

const actions = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
} as const;
const operators = [
  "",
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
];
const archNames: Readonly<Record<string, string>> = {
  SCMP_ARCH_X86_64: "x86_64",
  SCMP_ARCH_X86: "x86",
  SCMP_ARCH_X32: "x32",
};

function value(action: keyof typeof actions, errno = 1): number {
  const data = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
  return actions[action] + (data ? errno : 0);
}

/** What runc asks libseccomp for: rules that say what the default says are left out. */
function script(seccomp: OciSeccomp): string {
  const fallback = value(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const lines = [`default ${fallback}`];
  for (const name of seccomp.architectures ?? []) lines.push(`arch ${archNames[name]}`);
  for (const rule of seccomp.syscalls ?? []) {
    const action = value(rule.action, rule.errnoRet);
    if (action === fallback) continue;
    const args = (rule.args ?? []).map(
      (arg) => `${arg.index} ${operators.indexOf(arg.op)} ${arg.value} ${arg.valueTwo ?? 0}`,
    );
    for (const name of rule.names) lines.push(["rule", action, name, ...args].join(" "));
  }
  return `${lines.join("\n")}\n`;
}

interface Reference {
  readonly program: Uint8Array;
  /** Names that this libseccomp is too old for. */
  readonly unknown: ReadonlySet<string>;
}

function askLibseccomp(seccomp: OciSeccomp): Reference {
  const made = spawnSync(reference, { input: script(seccomp), maxBuffer: 1 << 24 });
  if (made.status !== 0) throw new Error(`libseccomp: ${made.stderr}`);
  return {
    program: new Uint8Array(made.stdout),
    unknown: new Set(made.stderr.toString().split("\n").filter(Boolean)),
  };
}

/** Values at which some rule changes its mind, and their neighbours. */
function samples(rules: readonly SeccompRule[]): readonly bigint[] {
  const edges = rules.flatMap((rule) =>
    (rule.args ?? []).flatMap((a) => [a.value, a.valueTwo ?? 0]),
  );
  const near = [0, 1, 0xffff_ffff, ...edges].flatMap((edge) => [
    BigInt(edge) - 1n,
    BigInt(edge),
    BigInt(edge) + 1n,
    BigInt(edge) + 0x1_0000_0000n,
  ]);
  return [...new Set(near.map((edge) => BigInt.asUintN(64, edge)))];
}

const ranges = [
  { name: "amd64", arch: AMD64, first: 0, last: 700 },
  { name: "x32", arch: AMD64, first: x32Bit, last: x32Bit + 700 },
  { name: "i386", arch: I386, first: 0, last: 700 },
] as const;

/** uretprobe and map_shadow_stack: the kernel has them on x86-64 only, and versions of libseccomp disagree about x32. */
const disputed = new Set([x32Bit + 335, x32Bit + 453]);

/** The highest number that a profile names; runc, not libseccomp, answers ENOSYS above it. */
function highest(rules: readonly SeccompRule[], table: keyof typeof syscallTables): number {
  const names = rules.flatMap((rule) => rule.names);
  return Math.max(...names.map((name) => syscallTables[table].get(name) ?? -1));
}

/** Every call of every architecture, with arguments on both sides of every comparison. */
function expectSameVerdicts(seccomp: OciSeccomp, { program, unknown }: Reference): void {
  const known = {
    ...seccomp,
    syscalls: (seccomp.syscalls ?? []).map((rule) => ({
      ...rule,
      names: rule.names.filter((name) => !unknown.has(name)),
    })),
  };
  const own = compileSeccomp(known as SeccompProfile, { capabilities: [] });
  const values = samples(known.syscalls);
  const differences: string[] = [];
  let compared = 0;
  const fallback = value(seccomp.defaultAction, seccomp.defaultErrnoRet);
  for (const { name, arch, first, last } of ranges) {
    const end = highest(known.syscalls, name);
    for (let number = first; number <= last; number++) {
      if (disputed.has(number)) continue;
      for (const sample of values) {
        const call = { arch, number, args: [sample, sample, 0n, 0n, 0n, 0n] };
        const [ours, theirs] = [runFilter(own, call), runFilter(program, call)];
        compared++;
        const younger = number > end && ours === ENOSYS && theirs === fallback;
        if (ours !== theirs && !younger)
          differences.push(`${name} ${number} (${sample}): ours ${ours}, libseccomp's ${theirs}`);
      }
    }
  }
  expect(differences.slice(0, 20)).toEqual([]);
  expect(compared).toBeGreaterThan(10_000);
}

describe("the default profile says what libseccomp says", () => {
  const sets: readonly (readonly [string, readonly string[]])[] = [
    ["Docker's capabilities", defaultCapabilities],
    ["none", []],
    ["SYS_ADMIN", [...defaultCapabilities, "CAP_SYS_ADMIN"]],
    [
      "all that matter",
      "DAC_READ_SEARCH SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_TIME SYS_TTY_CONFIG SYS_NICE SYSLOG BPF PERFMON"
        .split(" ")
        .map((name) => `CAP_${name}`),
    ],
  ];
  test.each(sets)("with %s", (_, capabilities) => {
    const seccomp = resolveSeccomp(defaultSeccompProfile, { capabilities, arch: "amd64" });
    expectSameVerdicts(seccomp, askLibseccomp(seccomp));
  });
});

describe("profiles of users say what libseccomp says", () => {
  const all = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
  const compare = (op: string, index: number, a: number, b = 0) =>
    ({ index, op, value: a, valueTwo: b }) as NonNullable<SeccompRule["args"]>[number];
  const profiles: Readonly<Record<string, OciSeccomp>> = {
    "every operator": {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: all,
      syscalls: operators.slice(1).map((op, i) => ({
        names: [["mkdir", "rmdir", "link", "chmod", "access", "dup", "umask"][i] ?? ""],
        action: "SCMP_ACT_ERRNO" as const,
        args: [compare(op, i % 2, op === "SCMP_CMP_MASKED_EQ" ? 0xf0 : 5, 0x30)],
      })),
    },
    "several arguments, several rules": {
      defaultAction: "SCMP_ACT_ERRNO",
      architectures: all,
      syscalls: [
        {
          names: ["mkdir"],
          action: "SCMP_ACT_ALLOW",
          args: [compare("SCMP_CMP_EQ", 0, 7), compare("SCMP_CMP_GE", 1, 3)],
        },
        { names: ["mkdir"], action: "SCMP_ACT_ALLOW", args: [compare("SCMP_CMP_EQ", 0, 9)] },
      ],
    },
    "a rule without arguments covers those with": {
      defaultAction: "SCMP_ACT_KILL_PROCESS",
      architectures: all,
      syscalls: [
        { names: ["dup"], action: "SCMP_ACT_ALLOW", args: [compare("SCMP_CMP_EQ", 0, 1)] },
        { names: ["dup", "read"], action: "SCMP_ACT_LOG" },
      ],
    },
    "calls that i386 multiplexes": {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: all,
      syscalls: [{ names: ["bind", "shmget", "semop"], action: "SCMP_ACT_ERRNO", errnoRet: 13 }],
    },
    "x86-64 alone": {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_X86_64"],
      syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_TRAP" }],
    },
  };
  test.each(Object.entries(profiles))("%s", (_, seccomp) => {
    expectSameVerdicts(seccomp, askLibseccomp(seccomp));
  });
});

describe("the running kernel", () => {
  const program = compileSeccomp(defaultSeccompProfile, { capabilities: defaultCapabilities });

  test.skipIf(process.arch !== "x64")(
    "takes the filter and does what it says [needs x86-64]",
    () => {
      const calls = { getpid: 39, mount: 165, clone3: 435, unborn: 467, bpf: 321 };
      const ran = spawnSync(probe, Object.values(calls).map(String), { input: program });
      expect(ran.stderr.toString()).toBe("");
      const [, ...errnos] = ran.stdout.toString().trim().split("\n").map(Number);
      expect(errnos).toEqual([0, 1, 38, 38, 1]);
    },
  );
});
