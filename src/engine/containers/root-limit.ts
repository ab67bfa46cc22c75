import { Fault, parseBytes } from "#base";
import type { Parts } from "../parts.ts";

/**
 * The bytes that a container's own files may take; undefined without a limit. dockerd gives its
 * refusals no kind, so they are `internal`.
 */
export function rootLimit(
  { snapshots }: Parts<"snapshots">,
  options: Readonly<Record<string, string>>,
): number | undefined {
  const refuse = (message: string, about: string): never => {
    throw new Fault("internal", message, { about });
  };
  let limit: number | undefined;
  for (const [name, value] of Object.entries(options)) {
    if (name.toLowerCase() !== "size") refuse(`Unknown option ${name}`, name);
    const lack = snapshots.lackOfLimits();
    if (lack)
      refuse(
        `--storage-opt is supported only for overlay over xfs with 'pquota' mount option: ${lack}`,
        name,
      );
    limit = parseBytes(value) ?? refuse(`invalid size: '${value}'`, name);
  }
  return limit || undefined;
}
