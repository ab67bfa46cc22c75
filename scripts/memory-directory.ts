import { mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs";

const place = "/dev/shm";
/** Bytes that the unit tests have at a time, and to spare. */
const room = 256 << 20;

/**
 * A directory in memory where temporary files cost no wait for a disk, removed at the end. It has no
 * path where the machine has none such, or none from which programs may be started.
 */
export function openMemoryDirectory(): Disposable & { readonly path: string | undefined } {
  const path = isFit() ? mkdtempSync(`${place}/thimble-unit-`) : undefined;
  return {
    path,
    [Symbol.dispose]() {
      if (path !== undefined) rmSync(path, { recursive: true, force: true });
    },
  };
}

function isFit(): boolean {
  try {
    const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
    const options = mounts.map((line) => line.split(" ")).findLast(([, at]) => at === place)?.[3];
    if (!options || options.split(",").includes("noexec")) return false;
    const { bavail, bsize } = statfsSync(place);
    return bavail * bsize >= room;
  } catch {
    return false;
  }
}
