import { existsSync } from "node:fs";

/** e_machine of elf(5): the name as in a platform, and the name of its emulator of QEMU. */
const machines: ReadonlyMap<number, readonly [name: string, emulator: string]> = new Map([
  [3, ["386", "i386"]],
  [8, ["mips", "mips"]],
  [21, ["ppc64", "ppc64le"]],
  [22, ["s390x", "s390x"]],
  [40, ["arm", "arm"]],
  [62, ["amd64", "x86_64"]],
  [183, ["arm64", "aarch64"]],
  [243, ["riscv64", "riscv64"]],
  [258, ["loong64", "loongarch64"]],
]);

/** The machines whose programs the kernel runs itself. */
const own: readonly number[] = process.arch === "arm64" ? [183, 40] : [62, 3];

/** The name of an ELF file's machine, as platforms of images have it. */
export function machineName(machine: number): string {
  return machines.get(machine)?.[0] ?? `machine ${machine}`;
}

/** Whether a program for the machine can be run here, by an emulator if one is registered (binfmt_misc). */
export function runsHere(machine: number): boolean {
  if (own.includes(machine)) return true;
  const emulator = machines.get(machine)?.[1];
  return emulator !== undefined && existsSync(`/proc/sys/fs/binfmt_misc/qemu-${emulator}`);
}
