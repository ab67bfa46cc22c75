import { Fault } from "#base";

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** As Docker and runc take them. */
const maxId = 2 ** 31 - 1;

/** Lines of passwd(5); malformed ones are skipped, as libc does. */
function parsePasswd(text: string): PasswdEntry[] {
  const entries: PasswdEntry[] = [];
  for (const line of text.split("\n")) {
    const [name, , uid, gid, , home] = line.split(":");
    const uidNumber = parseId(uid);
    const gidNumber = parseId(gid);
    if (!name || uidNumber === undefined || gidNumber === undefined) continue;
    entries.push({ name, uid: uidNumber, gid: gidNumber, home: home ?? "" });
  }
  return entries;
}

/** Lines of group(5). */
function parseGroup(text: string): GroupEntry[] {
  const entries: GroupEntry[] = [];
  for (const line of text.split("\n")) {
    const [name, , gid, members] = line.split(":");
    const gidNumber = parseId(gid);
    if (!name || gidNumber === undefined) continue;
    entries.push({ name, gid: gidNumber, members: (members ?? "").split(",").filter(Boolean) });
  }
  return entries;
}

function parseId(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= maxId ? id : undefined;
}

/**
 * The ids that "name", "uid", "name:group" and so on mean inside an image, by its /etc/passwd and
 * /etc/group ("" when they are missing). "" is root. A number needs no entry; a name without one is
 * an `invalid` fault with Docker's words.
 */
export function resolveUser(
  user: string,
  files: { readonly passwd: string; readonly group: string },
  groupAdd: readonly string[] = [],
): ResolvedUser {
  const colon = user.indexOf(":");
  const wantedUser = colon < 0 ? user : user.slice(0, colon);
  const wantedGroup = colon < 0 ? "" : user.slice(colon + 1);
  const groups = parseGroup(files.group);
  const entry = findUser(wantedUser, parsePasswd(files.passwd));
  const gid = wantedGroup === "" ? entry.gid : findGroup(wantedGroup, groups);
  // As Docker: the first group is among them, so that a file that denies something to the group
  // still denies it.
  const additional = new Set<number>([gid]);
  // As Docker: a group given by hand replaces those the user is a member of.
  if (wantedGroup === "" && entry.name !== "") {
    for (const group of groups) if (group.members.includes(entry.name)) additional.add(group.gid);
  }
  for (const group of groupAdd) additional.add(findGroup(group, groups));
  return { uid: entry.uid, gid, additionalGids: [...additional], home: entry.home || "/" };
}

function refuseNumber(wanted: string): never {
  throw new Fault("invalid", `uids and gids must be in range 0-${maxId}`, {
    about: wanted,
  });
}

function findUser(wanted: string, entries: readonly PasswdEntry[]): PasswdEntry {
  const byName = entries.find((entry) => entry.name === wanted);
  if (byName) return byName;
  const uid = wanted === "" ? 0 : parseId(wanted);
  if (uid === undefined && /^[+-]?\d+$/.test(wanted)) refuseNumber(wanted);
  if (uid === undefined) {
    throw new Fault(
      "invalid",
      `unable to find user ${wanted}: no matching entries in passwd file`,
      { about: wanted },
    );
  }
  return entries.find((entry) => entry.uid === uid) ?? { name: "", uid, gid: 0, home: "/" };
}

function findGroup(wanted: string, entries: readonly GroupEntry[]): number {
  const byName = entries.find((entry) => entry.name === wanted);
  const gid = byName?.gid ?? parseId(wanted);
  if (gid === undefined && /^[+-]?\d+$/.test(wanted)) refuseNumber(wanted);
  if (gid === undefined) {
    throw new Fault(
      "invalid",
      `unable to find group ${wanted}: no matching entries in group file`,
      { about: wanted },
    );
  }
  return gid;
}
