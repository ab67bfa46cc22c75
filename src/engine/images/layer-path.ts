import { lstatSync } from "node:fs";

/**
 * Whether a stack of layers may have something at an absolute path; false is certain. A link on the
 * way leaves it open, as only a mounted stack tells where that leads.
 * @param layers directories, which nobody changes
 */
export function mayHave(layers: readonly string[], path: string): boolean {
  let prefix = "";
  for (const name of path.split("/").filter(Boolean)) {
    prefix += `/${name}`;
    const found = layers
      .map((layer) => lstatSync(`${layer}${prefix}`, { throwIfNoEntry: false }))
      .filter((stat) => stat !== undefined);
    if (found.length === 0) return false;
    if (found.some((stat) => !stat.isDirectory())) return true;
  }
  return true;
}
