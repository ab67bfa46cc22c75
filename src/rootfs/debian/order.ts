import type { DebianPackage } from "./package-index.ts";
import { meets } from "./resolver.ts";

/**
 * Packages in an order in which dpkg may unpack them: a package comes after those that it depends
 * on, pre-dependencies before all, and a cycle is cut where it closes. base-passwd and base-files
 * lead, since others' files belong to groups that only exist once base-passwd's preinst has run.
 */
export function inUnpackOrder(packages: readonly DebianPackage[]): DebianPackage[] {
  const leaders = ["base-passwd", "base-files"];
  const sorted = [...packages].sort((a, b) => (a.name < b.name ? -1 : 1));
  const ordered = sorted.filter(({ name }) => leaders.includes(name));
  ordered.sort((a, b) => leaders.indexOf(a.name) - leaders.indexOf(b.name));
  const seen = new Set(ordered);
  const visit = (one: DebianPackage) => {
    if (seen.has(one)) return;
    seen.add(one);
    for (const group of [...one.preDepends, ...one.depends])
      for (const other of sorted)
        if (!seen.has(other) && group.some((relation) => meets(other, relation))) visit(other);
    ordered.push(one);
  };
  for (const one of sorted) visit(one);
  return ordered;
}

/**
 * Cuts an order into runs that dpkg can unpack at once: a package that pre-depends
 * on another of its run would be refused, because that one is not configured yet.
 */
export function inRuns(ordered: readonly DebianPackage[]): DebianPackage[][] {
  const runs: DebianPackage[][] = [];
  let run: DebianPackage[] = [];
  for (const one of ordered) {
    const waits = one.preDepends.some((group) =>
      run.some((other) => group.some((relation) => meets(other, relation))),
    );
    if (waits) {
      runs.push(run);
      run = [];
    }
    run.push(one);
  }
  if (run.length > 0) runs.push(run);
  return runs;
}
