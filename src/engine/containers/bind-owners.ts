import { existsSync, lchownSync, mkdirSync, statSync } from "node:fs";
import { Fault } from "#base";
import {
  type BindMount,
  bindsOf,
  type Owners,
  type PlacedBind,
  type PlacedMount,
} from "#container";
import { mountTable } from "#kernel";
import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { ResolvedUser } from "./user.ts";
import { lookupUser } from "./user-lookup.ts";

type Draft = Pick<ContainerRecord, "host" | "owner" | "placed">;

/** All binds of a container, those of other containers as well, whose owners are mapped. */
function mappedBinds({ host, placed }: Omit<Draft, "owner">): readonly BindMount[] {
  const isBind = (mount: PlacedMount): mount is PlacedBind =>
    mount.volume === undefined && mount.image === undefined;
  return [...bindsOf(host), ...placed.filter(isBind)].filter(({ idMapping }) => idMapping);
}

/**
 * Whose the files of binds are, by target, for a container whose owners are mapped. Outside they are
 * of the user who made the container, whoever starts it. Root, who needs no map for itself, stands
 * for the owner of the source.
 * @param run the snapshot whose files tell users apart (undefined: only numbers are known), and whom
 *   the container runs as
 */
export async function bindOwners(
  parts: Parts<"snapshots">,
  draft: Draft,
  run: { readonly key: string | undefined; readonly user: ResolvedUser },
): Promise<ReadonlyMap<string, Owners>> {
  const owners = new Map<string, Owners>();
  for (const { source, target, idMapping } of mappedBinds(draft)) {
    const user = idMapping?.user ?? "";
    const container =
      user === "" || run.key === undefined
        ? run.user
        : await lookupUser(parts.snapshots, run.key, { user, groupAdd: [] });
    const host = draft.owner.uid === 0 ? ownerOf(source) : draft.owner;
    owners.set(target, { host, container });
  }
  return owners;
}

/** A source that is missing will be made, by root. */
function ownerOf(source: string): Owners["host"] {
  const { uid, gid } = statSync(source, { throwIfNoEntry: false }) ?? { uid: 0, gid: 0 };
  return { uid, gid };
}

/** Makes the directories that binds lack; where owners are mapped, it is its user's. */
export function makeBindSources({ host, owner }: Omit<Draft, "placed">): void {
  for (const { source, createSource, idMapping } of bindsOf(host)) {
    if (!createSource || existsSync(source)) continue;
    mkdirSync(source, { recursive: true });
    if (idMapping) lchownSync(source, owner.uid, owner.gid);
  }
}

/** Names the file systems when the kernel could not map owners on one of them; any other fault as it is. */
export function ownersFault(record: Omit<Draft, "owner">, fault: Fault): Fault {
  const isOurs = fault.stage === "mount" && fault.errno === "EOPNOTSUPP";
  const bind = mappedBinds(record).find(
    ({ target }) => isOurs && fault.message.includes(`the owners of files at ${target}:`),
  );
  if (!bind) return fault;
  const table = mountTable();
  const [around] = table
    .filter(({ target }) => target === "/" || `${bind.source}/`.startsWith(`${target}/`))
    .sort((a, b) => b.target.length - a.target.length);
  const below = table.filter(({ target }) => target.startsWith(`${bind.source}/`));
  const systems = [...(around ? [around] : []), ...(bind.recursive ? below : [])];
  const named = systems.map(({ type, target }) => `${type} at ${target}`).join(", ");
  return new Fault(
    "unsupported",
    `cannot map the owners of files below ${bind.source}: the kernel has no id-mapped mounts for ${systems.length > 1 ? "one of the file systems" : "the file system"} ${named}; leave idmap out, or use a directory of another file system`,
    { about: bind.source, cause: fault, stage: "mount", errno: "EOPNOTSUPP" },
  );
}
