import { Fault } from "#base";
import { inRuns, inUnpackOrder } from "./order.ts";
import type { DebianPackage, PackageIndex } from "./package-index.ts";
import { findPackages, resolve } from "./resolver.ts";

/**
 * Which packages a root file system starts with, under debootstrap's names:
 * `minbase` is Essential, Priority required and apt; `-` adds Priority important;
 * `buildd` is minbase and build-essential.
 */
export type Variant = "minbase" | "buildd" | "-";

/** The packages for dpkg, in the order in which it gets them. */
export interface Plan {
  /** The Essential packages and all they depend on: enough to run dpkg. */
  readonly essential: readonly DebianPackage[];
  /** All others, in runs to unpack and configure one after the other. */
  readonly rest: readonly (readonly DebianPackage[])[];
  /**
   * Names of those in `rest` for which only another package asked: `apt autoremove` may take them
   * away.
   */
  readonly automatic: readonly string[];
}

/** Chooses in two steps, as the installation goes: first the essential set by itself, then the rest beside it. */
export function planInstallation(
  index: PackageIndex,
  { variant, include }: { readonly variant: Variant; readonly include: readonly string[] },
): Plan {
  const roots = index.essential();
  if (roots.length === 0)
    throw new Fault(
      "invalid",
      `the suite has no Essential package for architecture ${index.architecture}: this is not a repository to build a root file system from`,
    );
  const essential = resolveMerged(index, roots);
  const names = ["apt", ...(variant === "buildd" ? ["build-essential"] : []), ...include];
  const wanted = [
    ...findPackages(index, names),
    ...index.ofPriority("required"),
    ...(variant === "-" ? index.ofPriority("important") : []),
  ];
  const rest = resolve(index, wanted, essential);
  const asked = new Set(wanted.map(({ name }) => name));
  return {
    essential: inUnpackOrder(essential),
    rest: inRuns(inUnpackOrder(rest)),
    automatic: rest.map(({ name }) => name).filter((name) => !asked.has(name)),
  };
}

/**
 * init-system-helpers of bookworm depends on "usrmerge | usr-is-merged". The tree has a merged /usr
 * from its start (see `skeleton`), so that usrmerge, which needs all of Perl, would have nothing to do.
 */
function resolveMerged(index: PackageIndex, roots: readonly DebianPackage[]): DebianPackage[] {
  const chosen = resolve(index, roots);
  const isMerged = index.candidate("usr-is-merged");
  if (isMerged === undefined || !chosen.some(({ name }) => name === "usrmerge")) return chosen;
  return resolve(index, [...roots, isMerged]);
}
