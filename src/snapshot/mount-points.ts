import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The files that every container has a mount over, from its root; made where its image lacks them. */
export const mountPoints: readonly string[] = ["etc/hostname", "etc/hosts", "etc/resolv.conf"];

const directories = ["dev", "etc", "proc", "sys"];

/**
 * Makes a layer that holds nothing but places to mount upon, or what is missing of it. At the
 * bottom of a stack it spares each container the seven files and directories that a start would make
 * in its own layer and that a removal would delete.
 */
export function makeMountPointLayer(root: string): void {
  for (const path of directories) mkdirSync(join(root, path), { recursive: true, mode: 0o755 });
  for (const path of mountPoints) writeFileSync(join(root, path), "", { flag: "a", mode: 0o644 });
}
