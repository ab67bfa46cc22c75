import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

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
  return own.includes(machine) || readEmulators().has(machine);
}

/** How programs for an architecture run here; `name` is what QEMU calls it. */
export type Emulation =
  | { readonly kind: "own" }
  /** With `isFixed` also where its interpreter is no file, as in containers. */
  | { readonly kind: "registered"; readonly isFixed: boolean; readonly name: string }
  | { readonly kind: "missing"; readonly name: string };

/** How programs for an architecture, in the words of platforms, run here, with the emulators of a mounted binfmt_misc. */
export function emulationOf(architecture: string, registry?: string): Emulation {
  const wanted = architecture.replace(/^(mips)64le$/, "$1");
  const found = [...machines].find(([, [name]]) => name === wanted);
  if (!found) return { kind: "missing", name: architecture };
  const [machine, [, name]] = found;
  if (own.includes(machine)) return { kind: "own" };
  const isFixed = readEmulators(registry).get(machine);
  return isFixed === undefined ? { kind: "missing", name } : { kind: "registered", isFixed, name };
}

/** The architectures of Linux whose programs run in containers here, this machine's first. */
export function architecturesHere(): string[] {
  const emulated = [...readEmulators()].flatMap(([machine, isFixed]) => (isFixed ? [machine] : []));
  return [...new Set([...own, ...emulated])].map(machineName);
}

/** By machine, whether the kernel holds the interpreter open (the flag F of binfmt_misc). */
function readEmulators(registry = "/proc/sys/fs/binfmt_misc"): Map<number, boolean> {
  const found = new Map<number, boolean>();
  for (const name of entriesOf(registry)) {
    if (name === "register" || name === "status") continue;
    const text = readEntry(join(registry, name));
    const machine = machineOf(text);
    if (machine === undefined || !text.startsWith("enabled")) continue;
    const isFixed = /^flags: \S*F/m.test(text);
    found.set(machine, isFixed || (found.get(machine) ?? false));
  }
  return found;
}

/** The machine whose ELF files an entry of binfmt_misc takes, by the file's first bytes. */
function machineOf(entry: string): number | undefined {
  const magic = Buffer.from(/^magic ([0-9a-f]+)$/m.exec(entry)?.[1] ?? "", "hex");
  if (magic.length < 20 || magic.toString("latin1", 0, 4) !== "\x7fELF") return undefined;
  // EI_DATA of elf(5): 2 is the big end first.
  return magic[5] === 2 ? magic.readUInt16BE(18) : magic.readUInt16LE(18);
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** "" for an entry that was removed meanwhile. */
function readEntry(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
