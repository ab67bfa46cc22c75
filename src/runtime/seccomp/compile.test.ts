import { describe, expect, test } from "bun:test";
import type { OciSeccomp, SeccompArgument, SeccompOperator } from "../oci-spec.ts";
import { runFilter, traceFilter } from "../testing.ts";
import { compileFilter, compileSeccomp } from "./compile.ts";
import { defaultSeccompProfile } from "./default-profile.ts";
import { parseSeccompProfile, resolveSeccomp } from "./profile.ts";
import { syscallTables, x32Bit } from "./syscall-table.ts";

const AMD64 = 0xc000_003e;
const I386 = 0x4000_0003;
const ARM64 = 0xc000_00b7;
const ALLOW = 0x7fff_0000;
const KILL = 0;
const errno = (number: number) => 0x0005_0000 | number;
const EPERM = errno(1);
const ENOSYS = errno(38);

const dockerCapabilities = ["CAP_CHOWN", "CAP_SYS_CHROOT"];
const compile = (capabilities = dockerCapabilities) =>
  compileSeccomp(defaultSeccompProfile, { capabilities, arch: "amd64" });
const call = (name: string) => syscallTables.amd64.get(name) ?? Number.NaN;

describe("the default profile", () => {
  const program = compile();
  const run = (name: string, ...args: bigint[]) =>
    runFilter(program, { arch: AMD64, number: call(name), args });

  test("is small enough to install quickly", () => {
    expect(program.byteLength / 8).toBeLessThan(450);
    const all = compile(["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE", "CAP_BPF"]);
    expect(all.byteLength / 8).toBeLessThan(450);
  });

  test("every call is decided within 20 steps", () => {
    // A list of the same rules would need hundreds.
    const longest = Math.max(
      ...[...syscallTables.amd64.values()].map(
        (number) => traceFilter(program, { arch: AMD64, number }).steps,
      ),
    );
    expect(longest).toBeLessThanOrEqual(20);
  });

  test("allows the calls that programs need and refuses the rest", () => {
    for (const name of ["read", "openat2", "execve", "futex_waitv", "mseal", "removexattrat"])
      expect(run(name)).toBe(ALLOW);
    for (const name of ["mount", "bpf", "io_uring_setup", "kexec_load", "reboot", "add_key"])
      expect(run(name)).toBe(EPERM);
  });

  test("clone without namespaces, clone3 not at all", () => {
    const CLONE_NEWUSER = 0x1000_0000n;
    expect(run("clone", 0x1200011n)).toBe(ALLOW);
    expect(run("clone", CLONE_NEWUSER)).toBe(EPERM);
    // Only bits of the mask count, in the lower word and above.
    expect(run("clone", 0xff_0000_0000n)).toBe(ALLOW);
    expect(run("clone3")).toBe(ENOSYS);
  });

  test("no vsock, and only harmless personalities", () => {
    expect(run("socket", 2n)).toBe(ALLOW);
    expect(run("socket", 40n)).toBe(EPERM);
    expect(run("socket", 0x1_0000_0028n)).toBe(ALLOW);
    for (const value of [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn])
      expect(run("personality", value)).toBe(ALLOW);
    for (const value of [1n, 0x40000n, 0xffffffff_ffffffffn])
      expect(run("personality", value)).toBe(EPERM);
  });

  test("calls that are younger than the profile do not exist", () => {
    expect(runFilter(program, { arch: AMD64, number: 466 })).toBe(ALLOW);
    for (const number of [467, 500, 0x3fff_ffff])
      expect(runFilter(program, { arch: AMD64, number })).toBe(ENOSYS);
    // x32 has numbers up to 547.
    expect(runFilter(program, { arch: AMD64, number: x32Bit + 547 })).toBe(ALLOW);
    expect(runFilter(program, { arch: AMD64, number: x32Bit + 548 })).toBe(ENOSYS);
  });

  test("every architecture has its own numbers, and an unknown one is killed", () => {
    // 21 is access on x86-64 and mount on i386.
    expect(runFilter(program, { arch: AMD64, number: 21 })).toBe(ALLOW);
    expect(runFilter(program, { arch: I386, number: 21 })).toBe(EPERM);
    expect(runFilter(program, { arch: AMD64, number: x32Bit + 21 })).toBe(ALLOW);
    expect(runFilter(program, { arch: ARM64, number: 63 })).toBe(KILL);
  });

  test("capabilities open the calls that need them", () => {
    const admin = compile(["CAP_SYS_ADMIN"]);
    expect(runFilter(admin, { arch: AMD64, number: call("mount") })).toBe(ALLOW);
    expect(runFilter(admin, { arch: AMD64, number: call("clone3") })).toBe(ALLOW);
    expect(runFilter(admin, { arch: AMD64, number: call("clone"), args: [0x10000000n] })).toBe(
      ALLOW,
    );
    expect(runFilter(admin, { arch: AMD64, number: call("chroot") })).toBe(EPERM);
    expect(runFilter(compile([]), { arch: AMD64, number: call("bpf") })).toBe(EPERM);
    expect(runFilter(compile(["CAP_BPF"]), { arch: AMD64, number: call("bpf") })).toBe(ALLOW);
  });

  test("names only calls that some architecture has", () => {
    const foreign = new Set(
      "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush fadvise64_64 fstatat64 getsid recv riscv_hwprobe send set_tls sync_file_range2 utimensat_time64".split(
        " ",
      ),
    );
    const known = (name: string) =>
      Object.values(syscallTables).some((table) => table.has(name)) || foreign.has(name);
    const unknown = defaultSeccompProfile.syscalls.flatMap((rule) =>
      rule.names.filter((name) => !known(name)),
    );
    expect(unknown).toEqual([]);
  });

  test("arm64", () => {
    const arm = compileSeccomp(defaultSeccompProfile, { capabilities: [], arch: "arm64" });
    const run64 = (name: string) =>
      runFilter(arm, { arch: ARM64, number: syscallTables.arm64.get(name) ?? 0 });
    expect(run64("openat")).toBe(ALLOW);
    expect(run64("mount")).toBe(EPERM);
    expect(runFilter(arm, { arch: AMD64, number: 0 })).toBe(KILL);
  });
});

/** What the comparison means, said in the plainest way. */
function holds({ op, value, valueTwo = 0 }: SeccompArgument, argument: bigint): boolean {
  const wanted = BigInt(value);
  switch (op) {
    case "SCMP_CMP_NE":
      return argument !== wanted;
    case "SCMP_CMP_LT":
      return argument < wanted;
    case "SCMP_CMP_LE":
      return argument <= wanted;
    case "SCMP_CMP_EQ":
      return argument === wanted;
    case "SCMP_CMP_GE":
      return argument >= wanted;
    case "SCMP_CMP_GT":
      return argument > wanted;
    case "SCMP_CMP_MASKED_EQ":
      return (argument & wanted) === BigInt(valueTwo);
  }
}

const amd64Only = (rest: Partial<OciSeccomp>): OciSeccomp => ({
  defaultAction: "SCMP_ACT_ALLOW",
  architectures: ["SCMP_ARCH_X86_64"],
  ...rest,
});

describe("comparisons", () => {
  const operators: readonly SeccompOperator[] = [
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
  ];
  const edges = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x2_8000_0001];

  test.each(operators)("%s looks at all 64 bits", (op) => {
    for (const value of edges) {
      const argument = { index: 3, value, valueTwo: value & 0xffff_0001, op };
      const { program } = compileFilter(
        amd64Only({ syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", args: [argument] }] }),
      );
      for (const given of edges.flatMap((edge) => [BigInt(edge), BigInt(edge) + 1n, 1n << 63n])) {
        const got = runFilter(program, { arch: AMD64, number: 83, args: [0n, 0n, 0n, given] });
        expect(got).toBe(holds(argument, given) ? EPERM : ALLOW);
      }
    }
  });

  test("several arguments must all hold, one argument twice is either", () => {
    const equal = (index: number, value: number) => ({ index, value, op: "SCMP_CMP_EQ" }) as const;
    const rule = (...args: SeccompArgument[]) =>
      compileFilter(amd64Only({ syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", args }] }))
        .program;
    const run = (program: Uint8Array, ...args: bigint[]) =>
      runFilter(program, { arch: AMD64, number: 83, args });
    const both = rule(equal(0, 1), equal(1, 2));
    expect([run(both, 1n, 2n), run(both, 1n, 3n), run(both, 0n, 2n)]).toEqual([
      EPERM,
      ALLOW,
      ALLOW,
    ]);
    const either = rule(equal(0, 1), equal(0, 2));
    expect([run(either, 1n), run(either, 2n), run(either, 3n)]).toEqual([EPERM, EPERM, ALLOW]);
  });
});

describe("actions", () => {
  const verdictOf = (action: OciSeccomp["defaultAction"], errnoRet?: number) =>
    runFilter(
      compileFilter(
        amd64Only({
          syscalls: [{ names: ["mkdir"], action, ...(errnoRet !== undefined && { errnoRet }) }],
        }),
      ).program,
      { arch: AMD64, number: 83 },
    );

  test("are the kernel's values", () => {
    expect(verdictOf("SCMP_ACT_KILL")).toBe(0);
    expect(verdictOf("SCMP_ACT_KILL_THREAD")).toBe(0);
    expect(verdictOf("SCMP_ACT_KILL_PROCESS")).toBe(0x8000_0000);
    expect(verdictOf("SCMP_ACT_TRAP")).toBe(0x0003_0000);
    expect(verdictOf("SCMP_ACT_ERRNO")).toBe(EPERM);
    expect(verdictOf("SCMP_ACT_ERRNO", 13)).toBe(errno(13));
    expect(verdictOf("SCMP_ACT_TRACE", 7)).toBe(0x7ff0_0007);
    expect(verdictOf("SCMP_ACT_LOG")).toBe(0x7ffc_0000);
    expect(verdictOf("SCMP_ACT_ALLOW")).toBe(ALLOW);
    expect(() => verdictOf("SCMP_ACT_NOTIFY")).toThrow("SCMP_ACT_NOTIFY");
  });
});

test("a profile of thousands of distinct verdicts still jumps right", () => {
  const names = [...syscallTables.amd64.keys()];
  const { program } = compileFilter(
    amd64Only({
      syscalls: names.map((name, index) => ({
        names: [name],
        action: "SCMP_ACT_ERRNO",
        errnoRet: 2 + index,
        args: [{ index: 0, value: index, op: "SCMP_CMP_GT" }],
      })),
    }),
  );
  expect(program.byteLength / 8).toBeGreaterThan(1000);
  for (const [index, name] of names.entries()) {
    const run = (argument: number) =>
      runFilter(program, { arch: AMD64, number: call(name), args: [BigInt(argument)] });
    expect([run(index), run(index + 1)]).toEqual([ALLOW, errno(2 + index)]);
  }
});

test("the same question gives the same program, compiled once", () => {
  const ask = () => resolveSeccomp(defaultSeccompProfile, { capabilities: ["CAP_CHOWN"] });
  expect(compileFilter(ask())).toBe(compileFilter(ask()));
});

describe("a user's profile", () => {
  test("is read as Docker reads it", () => {
    const profile = parseSeccompProfile(
      JSON.stringify({
        defaultAction: "SCMP_ACT_ALLOW",
        archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: null }],
        syscalls: [
          { name: "mkdir", action: "SCMP_ACT_ERRNO", args: null, comment: "old form" },
          {
            names: ["rmdir"],
            action: "SCMP_ACT_ERRNO",
            errnoRet: 2,
            excludes: { caps: ["CAP_KILL"] },
          },
        ],
      }),
    );
    const run = (number: number, capabilities: readonly string[]) =>
      runFilter(compileSeccomp(profile, { capabilities, arch: "amd64" }), { arch: AMD64, number });
    expect(run(83, [])).toBe(EPERM);
    expect([run(84, []), run(84, ["CAP_KILL"])]).toEqual([errno(2), ALLOW]);
    expect(run(9999, [])).toBe(ALLOW);
  });

  test.each([
    ["{", "is not JSON"],
    ["[]", "profile is not an object"],
    ["{}", "defaultAction"],
    ['{"defaultAction":"ALLOW"}', "SCMP_ACT_ALLOW"],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}', "syscalls is not a list"],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[7],"action":"SCMP_ACT_LOG"}]}',
      "syscalls[0].names[0]",
    ],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG","args":[{"index":6,"op":"SCMP_CMP_EQ"}]}]}',
      "syscalls[0].args[0].index",
    ],
    ['{"defaultAction":"SCMP_ACT_ALLOW","architectures":[],"archMap":[]}', "archMap"],
  ])("%s is refused with the field", (json, field) => {
    expect(() => parseSeccompProfile(json)).toThrow(field);
  });
});
