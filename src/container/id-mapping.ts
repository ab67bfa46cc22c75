import { Fault } from "#base";
import type { OciMount } from "#runtime";
import type { MountBody } from "./mounts.ts";

/**
 * Asks that the files of a bind belong to a user of the container inside and to a user of the host
 * outside; Docker's `match-user`. No other user has files there.
 */
export interface IdMapping {
  /** As `--user` has it; "": whoever the container runs as. */
  readonly user: string;
}

/** A user of the host, and the one of the container who stands for it. */
export interface Owners {
  readonly host: { readonly uid: number; readonly gid: number };
  readonly container: { readonly uid: number; readonly gid: number };
}

/** The words of the API's BindOptions.IDMapping; `invalid` or `unsupported` with the fields that are wrong. */
export function parseIdMapping(
  sent: NonNullable<MountBody["BindOptions"]>["IDMapping"],
): IdMapping | undefined {
  if (!sent) return undefined;
  const { Source: source, User: user } = sent;
  if (source === "userns")
    throw new Fault(
      "unsupported",
      'the id mapping "userns" follows a user namespace of the container, and containers have the host\'s here; use "match-user"',
      { about: source },
    );
  if (source !== "match-user")
    throw new Fault(
      "invalid",
      `invalid mount config for type "bind": invalid id mapping ${JSON.stringify(source ?? "")}: use "match-user" or "userns"`,
      { about: source ?? "" },
    );
  return { user: user ?? "" };
}

/** The fields of a mount of the OCI configuration that map its owners: the source's ids come first. */
export function ociOwners({
  host,
  container,
}: Owners): Pick<OciMount, "uidMappings" | "gidMappings"> {
  return {
    uidMappings: [{ containerID: host.uid, hostID: container.uid, size: 1 }],
    gidMappings: [{ containerID: host.gid, hostID: container.gid, size: 1 }],
  };
}
