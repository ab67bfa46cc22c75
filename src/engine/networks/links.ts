import { existsSync } from "node:fs";
import { type ContainerId, defined, Fault, faultOf, isFault, shortId } from "#base";
import { type HostConfig, type Link, networkModeOf, parseLink, type Sent } from "#container";
import { type ContainerRecord, isUp } from "../containers/container-record.ts";
import { hostnameOf } from "../containers/hostname.ts";
import { joinedContainer } from "../containers/joined-container.ts";
import type { NetworkAttachment } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { changeNameFile } from "./name-file.ts";

/*
 * Links on the default bridge, which has no names: lines of hosts(5), for containers that run when
 * the linking one starts. In networks with names a link is a name of the resolver instead.
 */

/** The links that are lines of hosts(5). */
function legacyLinks(host: HostConfig): readonly Link[] {
  const mode = networkModeOf(host);
  return mode.kind === "bridge" && mode.network === "bridge" ? host.Links : [];
}

/** The links of a request to create a container, with ids in the place of names, so that a rename does no harm. */
export function resolveLinks(
  parts: Parts<"store">,
  { HostConfig }: Sent,
): readonly string[] | null | undefined {
  const { Links, NetworkMode } = HostConfig;
  const mode = networkModeOf({ NetworkMode: NetworkMode ?? "default" });
  if (mode.kind !== "bridge" || mode.network !== "bridge") return Links;
  return Links?.map((text) => {
    const { name, alias } = parseLink(text);
    return `${linkable(parts, name).id}:${alias}`;
  });
}

/** A missing one is `invalid`: clients take `not_found` for the image's. */
function linkable(parts: Parts<"store">, name: string): ContainerRecord {
  let record: ContainerRecord;
  try {
    record = parts.store.find(name);
  } catch (cause) {
    if (!isFault(cause, "not_found")) throw cause;
    const message = `could not get container for ${name}: No such container: ${name}`;
    throw new Fault("invalid", message, { about: name, cause });
  }
  const mode = networkModeOf(record.host);
  if (mode.kind === "container") return joinedContainer(parts, record.host.NetworkMode);
  if (mode.kind !== "host") return record;
  throw new Fault(
    "invalid",
    "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    { about: name },
  );
}

/** The links of a container with the present names of those that they lead to. */
export function linksOf(parts: Parts<"store">, { host }: ContainerRecord): readonly Link[] {
  return legacyLinks(host).map(({ name, alias }) => ({
    name: parts.store.get(name as ContainerId)?.name ?? shortId(name as ContainerId),
    alias,
  }));
}

/** A line of hosts(5) for each link. `conflict`, in Docker's words, unless all of them run on the default bridge. */
export function linkLines(
  parts: Parts<"store" | "sandboxes">,
  record: ContainerRecord,
): readonly string[] {
  return legacyLinks(record.host).map(({ name: id, alias }) => {
    const other = parts.store.get(id as ContainerId);
    if (!other || !isUp(other.state)) {
      const name = other?.name ?? shortId(id as ContainerId);
      throw new Fault(
        "conflict",
        `Cannot link to a non running container: /${name} AS /${record.name}/${alias}`,
        { about: name },
      );
    }
    const address = bridgeAddress(parts.sandboxes.get(other.id)?.endpoints);
    if (address !== "") return `${address}\t${linkNames(other, alias)}`;
    throw new Fault("conflict", `container ${other.id} not attached to default bridge network`, {
      about: other.name,
    });
  });
}

function bridgeAddress(endpoints: readonly NetworkAttachment[] = []): string {
  return endpoints.find(({ network }) => network === "bridge")?.address ?? "";
}

function linkNames(other: ContainerRecord, alias: string): string {
  return [alias, hostnameOf(other), ...(alias === other.name ? [] : [other.name])].join(" ");
}

/**
 * The hosts files of containers that run get the addresses that those they link to have now; `to`:
 * only of links to that one, which has just started.
 */
export function moveLinks(
  parts: Parts<"store" | "live" | "sandboxes" | "log">,
  to?: ContainerId,
): void {
  for (const { id } of parts.live.values()) {
    const linking = parts.store.get(id);
    for (const link of linking ? legacyLinks(linking.host) : []) {
      const other = parts.store.get(link.name as ContainerId);
      if (!linking || !other || (to !== undefined && other.id !== to)) continue;
      const address = bridgeAddress(parts.sandboxes.get(other.id)?.endpoints);
      try {
        if (address !== "") moveLink(linking.files.hosts, other, { ...link, address });
      } catch (error) {
        parts.log.error("a link of a container leads to an old address", {
          id,
          alias: link.alias,
          error: faultOf(error).message,
        });
      }
    }
  }
}

/** Takes a link, by its alias, from a container and from its hosts file. */
export async function removeLink(
  parts: Parts<"state" | "store" | "locks">,
  ref: string,
  alias: string,
): Promise<void> {
  const missing = () =>
    new Fault("not_found", `No such container: ${ref}/${alias}`, { about: ref });
  const found = tryFind(parts, ref);
  if (!found) throw missing();
  await parts.locks.run(found.id, async () => {
    const record = parts.store.find(found.id);
    const link = legacyLinks(record.host).find((each) => each.alias === alias);
    if (!link) throw missing();
    const { HostConfig } = record.sent;
    const Links = HostConfig.Links?.filter((text) => parseLink(text).alias !== alias);
    const change = parts.store.redefine(record.id, {
      ...record.sent,
      HostConfig: { ...HostConfig, ...defined({ Links }) },
    });
    parts.state.durably(change.write);
    change.keep();
    const other = parts.store.get(link.name as ContainerId);
    if (other && existsSync(record.files.hosts)) dropLine(record.files.hosts, other, alias);
  });
}

function tryFind(parts: Parts<"store">, ref: string): ContainerRecord | undefined {
  try {
    return parts.store.find(ref);
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}

function dropLine(path: string, other: ContainerRecord, alias: string): void {
  const isOf = isLineOf(other, alias);
  changeNameFile(path, (text) =>
    text
      .split("\n")
      .filter((line) => !isOf(line))
      .join("\n"),
  );
}

/** Whether a line of a hosts file is that of a link. */
function isLineOf(other: ContainerRecord, alias: string): (line: string) => boolean {
  const begin = `${alias} ${hostnameOf(other)}`;
  return (line) => {
    const [, names = ""] = /^\S+\t(.*)$/.exec(line) ?? [];
    return names === begin || names.startsWith(`${begin} `);
  };
}

/** The container's own changes of its file are kept. */
function moveLink(
  path: string,
  other: ContainerRecord,
  { alias, address }: { readonly alias: string; readonly address: string },
): void {
  const isOf = isLineOf(other, alias);
  changeNameFile(path, (text) =>
    text
      .split("\n")
      .map((line) => (isOf(line) ? line.replace(/^\S+/, address) : line))
      .join("\n"),
  );
}
