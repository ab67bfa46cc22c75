import type { Platform } from "#image";
import { architecturesHere, emulationOf } from "#rootfs";

/** The platforms whose programs run in containers here, this machine's first. */
export function platformsHere(): Platform[] {
  return architecturesHere().map((architecture) => ({ os: "linux", architecture }));
}

/** Why programs for a platform cannot run here, and what to do about it; undefined when they can. */
export function lackOf({ os, architecture }: Platform): string | undefined {
  if (os !== "linux") return `this machine runs programs for linux alone, and not for ${os}`;
  const emulation = emulationOf(architecture);
  if (emulation.kind === "own") return undefined;
  const { name } = emulation;
  const install = `install QEMU's emulators ("apt install qemu-user-static" on Debian, or "docker run --privileged --rm tonistiigi/binfmt --install ${architecture}")`;
  if (emulation.kind === "missing") {
    return `this machine runs programs for ${architecturesHere().join(", ")} alone; there is no emulator for ${architecture} in /proc/sys/fs/binfmt_misc; ${install}, or run the step in a stage with FROM --platform=$BUILDPLATFORM and copy what it makes`;
  }
  if (emulation.isFixed) return undefined;
  return `the emulator qemu-${name} is registered without the flag F in /proc/sys/fs/binfmt_misc, so that containers do not find it; ${install}`;
}
