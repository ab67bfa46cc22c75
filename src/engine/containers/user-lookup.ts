import type { Snapshotter } from "#snapshot";
import { type ResolvedUser, resolveUser } from "./user.ts";

/** Who a user name means in a container, by the passwd and group files of its snapshot `key`, which is not mounted for it. */
export async function lookupUser(
  snapshots: Snapshotter,
  key: string,
  wanted: { readonly user: string; readonly groupAdd: readonly string[] },
): Promise<ResolvedUser> {
  const [passwd, group] = await Promise.all([
    snapshots.lookup(key, "etc/passwd"),
    snapshots.lookup(key, "etc/group"),
  ]);
  const text = (bytes: Uint8Array | undefined) => (bytes ? Buffer.from(bytes).toString() : "");
  const files = { passwd: text(passwd), group: text(group) };
  return resolveUser(wanted.user, files, wanted.groupAdd);
}
