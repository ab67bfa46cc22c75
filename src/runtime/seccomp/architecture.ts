import { Fault } from "#base";
import { type SyscallTable, syscallTables, x32Bit } from "./syscall-table.ts";

/** One way of entering the kernel, with its own numbers of system calls. */
export interface Architecture {
  /** AUDIT_ARCH_* of linux/audit.h; x32 shares that of x86-64. */
  readonly audit: number;
  readonly syscalls: SyscallTable;
  /** Arguments are 32 bits wide, so the upper words say nothing. */
  readonly narrow: boolean;
  /** Numbers of this architecture lie from here to `end`, exclusive. */
  readonly start: number;
  readonly end: number;
  /** Calls that socketcall(2) and ipc(2) also carry, chosen by their first argument. */
  readonly multiplexed: ReadonlyMap<string, { readonly call: string; readonly selector: number }>;
}

const socketCalls =
  "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg";

/** linux/net.h SYS_* and linux/ipc.h: the selectors of the two multiplexers of i386. */
const i386Multiplexed: Architecture["multiplexed"] = new Map<
  string,
  { readonly call: string; readonly selector: number }
>([
  ...socketCalls
    .split(" ")
    .map((name, index) => [name, { call: "socketcall", selector: index + 1 }] as const),
  ...Object.entries({
    semop: 1,
    semget: 2,
    semctl: 3,
    semtimedop: 4,
    msgsnd: 11,
    msgrcv: 12,
    msgget: 13,
    msgctl: 14,
    shmat: 21,
    shmdt: 22,
    shmget: 23,
    shmctl: 24,
  }).map(([name, selector]) => [name, { call: "ipc", selector }] as const),
]);

const whole = { start: 0, end: 2 ** 32, multiplexed: new Map() } as const;

const known: Readonly<Record<string, Architecture>> = {
  SCMP_ARCH_X86_64: {
    ...whole,
    audit: 0xc000_003e,
    syscalls: syscallTables.amd64,
    narrow: false,
    end: x32Bit,
  },
  SCMP_ARCH_X32: {
    ...whole,
    audit: 0xc000_003e,
    syscalls: syscallTables.x32,
    narrow: true,
    start: x32Bit,
  },
  SCMP_ARCH_X86: {
    ...whole,
    audit: 0x4000_0003,
    syscalls: syscallTables.i386,
    narrow: true,
    multiplexed: i386Multiplexed,
  },
  SCMP_ARCH_AARCH64: {
    ...whole,
    audit: 0xc000_00b7,
    syscalls: syscallTables.arm64,
    narrow: false,
  },
};

/** Real names of libseccomp that this version has no table for; their programs are killed, as on every architecture a filter does not list. */
const foreign =
  /^SCMP_ARCH_(ARM|MIPS(EL)?(64)?(N32)?|PPC(64(LE)?)?|S390X?|PARISC(64)?|RISCV64|LOONGARCH64|M68K|SH(EB)?)$/;

/** The architectures of a profile, each once; an unknown name is an `invalid` fault. */
export function findArchitectures(names: readonly string[]): readonly Architecture[] {
  const wanted = names.length > 0 ? names : [nativeArchitecture()];
  return [...new Set(wanted)].flatMap((name) => {
    const architecture = known[name];
    if (architecture) return [architecture];
    if (foreign.test(name)) return [];
    throw new Fault("invalid", `linux.seccomp.architectures: there is no architecture "${name}"`, {
      about: name,
    });
  });
}

function nativeArchitecture(): string {
  return process.arch === "arm64" ? "SCMP_ARCH_AARCH64" : "SCMP_ARCH_X86_64";
}
