import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emulationOf } from "./machine-name.ts";

const registry = mkdtempSync(join(tmpdir(), "binfmt-"));
afterAll(() => rmSync(registry, { recursive: true }));

/** An entry as binfmt_misc shows it; `data` is 1 for the little end first, 2 for the big one. */
function register(name: string, data: 1 | 2, machine: string, flags: string): void {
  const magic = `7f454c46020${data}01000000000000000000${data === 1 ? "0200" : "0002"}${machine}`;
  const text = `enabled\ninterpreter /usr/bin/${name}\nflags: ${flags}\noffset 0\nmagic ${magic}\n`;
  writeFileSync(join(registry, name), text);
}

test("an emulator serves containers when the kernel holds it open", () => {
  register("qemu-s390x", 2, "0016", "PF");
  expect(emulationOf("s390x", registry)).toEqual({
    ...{ kind: "registered", isFixed: true, name: "s390x" },
  });
  register("qemu-riscv64", 1, "f300", "P");
  expect(emulationOf("riscv64", registry)).toMatchObject({ kind: "registered", isFixed: false });
});

test("what is not registered, turned off, or nothing for programs does not count", () => {
  writeFileSync(join(registry, "status"), "enabled\n");
  writeFileSync(join(registry, "python"), "enabled\nflags: F\nextension .py\n");
  writeFileSync(join(registry, "off"), "disabled\nflags: F\nmagic 7f454c46\n");
  expect(emulationOf("loong64", registry)).toEqual({ kind: "missing", name: "loongarch64" });
  expect(emulationOf("sparc64", registry)).toEqual({ kind: "missing", name: "sparc64" });
});

test("programs of this machine need none", () => {
  const own = process.arch === "arm64" ? "arm64" : "amd64";
  expect(emulationOf(own, registry)).toEqual({ kind: "own" });
});
