import { type ContainerId, Fault } from "#base";
import {
  networkModeOf,
  type PortBindingsBody,
  parsePortBindings,
  withoutPorts,
  withPorts,
} from "#container";
import type { PublishedPort, WantedPort } from "#network";
import type { Parts } from "../parts.ts";
import { publishContainer } from "./container-event.ts";
import type { ContainerRecord } from "./container-record.ts";

/** What publishing and unpublishing of a container's ports touches. */
export type ChangePortsParts = Parts<
  "state" | "store" | "events" | "locks" | "live" | "removing" | "ports"
>;

/** Publishes more ports of a container: at once where it runs, and from its next start on. */
export async function addPorts(
  parts: ChangePortsParts,
  ref: string,
  bindings: PortBindingsBody,
): Promise<readonly PublishedPort[]> {
  const { id } = parts.store.find(ref);
  const wanted = parsePortBindings(bindings).flatMap(({ protocol, containerPort, bindings: all }) =>
    all.map((binding) => ({ protocol, containerPort, ...binding })),
  );
  if (wanted.length === 0)
    throw new Fault("invalid", "no port is named: give one as [IP:][HOST:]CONTAINER[/PROTOCOL]");
  return await parts.locks.run(id, async () => {
    const record = changeable(parts, id);
    const change = parts.store.redefine(id, withPorts(record.sent, bindings));
    const live = parts.live.get(id);
    if (live) {
      const added = await live.ports.add(live, wanted, change.write);
      tell(parts, change.keep(), "publish", bindings);
      return added;
    }
    for (const port of wanted) refuseTaken(record, port);
    parts.state.durably(change.write);
    tell(parts, change.keep(), "publish", bindings);
    return [];
  });
}

/** Nobody would notice before the container's next start, which would fail. */
function refuseTaken({ name, host }: ContainerRecord, wanted: WantedPort): void {
  const { protocol, hostIp, range } = wanted;
  if (!range || range.first !== range.last) return;
  const isTaken = host.PortBindings.filter((each) => each.protocol === protocol)
    .flatMap(({ bindings }) => bindings)
    .some(
      (each) =>
        each.hostIp === hostIp &&
        each.range?.last === range.last &&
        each.range.first === range.first,
    );
  if (isTaken)
    throw new Fault(
      "conflict",
      `port ${range.first}/${protocol} of the host is published by container ${name} already`,
      { about: name },
    );
}

/** Takes ports of a container back: at once where it runs, and for its later starts. */
export async function removePorts(
  parts: ChangePortsParts,
  ref: string,
  bindings: PortBindingsBody,
): Promise<readonly PublishedPort[]> {
  const { id } = parts.store.find(ref);
  return await parts.locks.run(id, async () => {
    const record = changeable(parts, id);
    const live = parts.live.get(id);
    const published = live ? parts.ports.of(id) : [];
    const { sent, removed } = withoutPorts(record.sent, bindings, published);
    const change = parts.store.redefine(id, sent);
    if (live) await live.ports.remove(removed, change.write);
    else parts.state.durably(change.write);
    tell(parts, change.keep(), "unpublish", bindings);
    return removed;
  });
}

function changeable(parts: ChangePortsParts, id: ContainerId): ContainerRecord {
  const record = parts.store.find(id);
  const { name, host } = record;
  if (parts.removing.has(id))
    throw new Fault("conflict", `container ${name} is being removed: its ports cannot change`, {
      about: name,
    });
  const { kind } = networkModeOf(host);
  if (kind === "bridge") return record;
  throw new Fault(
    "conflict",
    `ports of container ${name} cannot be published: its network mode is ${host.NetworkMode}; only those in a bridge network have ports of their own`,
    { about: name },
  );
}

/** As `docker events` shows it: "container publish ID (ports=127.0.0.1:8080:80/tcp, ...)". */
function tell(
  parts: ChangePortsParts,
  record: ContainerRecord,
  action: "publish" | "unpublish",
  bindings: PortBindingsBody,
): void {
  const ports = Object.entries(bindings).flatMap(([port, list]) =>
    (list ?? []).map(({ HostIp, HostPort }) => {
      const address = HostIp?.includes(":") ? `[${HostIp}]` : HostIp;
      return [address, HostPort, port].filter(Boolean).join(":");
    }),
  );
  publishContainer(parts, record, action, { ports: ports.join(",") });
}
