import { Fault } from "#base";
import type { Sent } from "./description.ts";
import {
  type ContainerPort,
  type PortBinding,
  type PortBindingsBody,
  parseContainerPort,
  parsePortBindings,
} from "./port-binding.ts";

/** A port that is published: where on the host, and for which one of the container. */
interface HostPort extends ContainerPort {
  readonly hostIp: string;
  readonly hostPort: number;
}

/** A create body as if these ports had been published, and exposed, too. */
export function withPorts(sent: Sent, added: PortBindingsBody): Sent {
  const bindings = { ...sent.HostConfig.PortBindings };
  const exposed: Record<string, unknown> = { ...sent.Config.ExposedPorts };
  for (const [key, list] of Object.entries(added)) {
    const own = keyIn(bindings, key);
    bindings[own] = [...(bindings[own] ?? []), ...(list ?? [])];
    exposed[keyIn(exposed, key)] = {};
  }
  return {
    ...sent,
    Config: { ...sent.Config, ExposedPorts: exposed },
    HostConfig: { ...sent.HostConfig, PortBindings: bindings },
  };
}

/** What is left of a create body and of the published ports, and those that are taken back. */
export interface WithoutPorts<Port extends HostPort> {
  readonly sent: Sent;
  readonly removed: readonly Port[];
}

/**
 * A create body without these ports. Of what is to go, an address or a port of the host that is ""
 * stands for any. `not_found` for one that is not published; exposed ports stay exposed.
 */
export function withoutPorts<Port extends HostPort>(
  sent: Sent,
  removed: PortBindingsBody,
  published: readonly Port[],
): WithoutPorts<Port> {
  const left = parsePortBindings(sent.HostConfig.PortBindings ?? {}).map((each) => ({
    ...each,
    bindings: [...each.bindings],
  }));
  const gone = new Set<Port>();
  for (const wanted of parsePortBindings(removed))
    for (const place of wanted.bindings) {
      const own = left.find((each) => isSame(each, wanted));
      const ports = published.filter((port) => isSame(port, wanted) && covers(place, port));
      const stored = own?.bindings.filter((binding) => isMeant(binding, place, ports)) ?? [];
      // One that was published to any port of several takes that port alone with it.
      const taken = place.range ? stored.slice(0, 1) : stored;
      if (!own || taken.length === 0) throw notPublished(wanted, place);
      own.bindings = own.bindings.filter((binding) => !taken.includes(binding));
      for (const port of ports) gone.add(port);
    }
  const bindings = Object.fromEntries(
    left
      .filter((each) => each.bindings.length > 0)
      .map((each) => [
        keyIn(sent.HostConfig.PortBindings ?? {}, nameOf(each)),
        each.bindings.map(({ hostIp, range }) => ({ HostIp: hostIp, HostPort: rangeText(range) })),
      ]),
  );
  return {
    sent: { ...sent, HostConfig: { ...sent.HostConfig, PortBindings: bindings } },
    removed: [...gone],
  };
}

type Place = PortBinding["bindings"][number];

/** Whether a binding that is stored is one of those that are to go. */
function isMeant(stored: Place, place: Place, ports: readonly HostPort[]): boolean {
  if (!hasAddress(place.hostIp, stored.hostIp)) return false;
  if (!place.range) return true;
  const isWritten =
    stored.range?.first === place.range.first && stored.range.last === place.range.last;
  return isWritten || ports.some((port) => covers(stored, port));
}

/** Whether a port of the host is at the place that is written; "" and no range stand for any. */
function covers({ hostIp, range }: Place, port: HostPort): boolean {
  return (
    hasAddress(hostIp, anyAddresses.includes(port.hostIp) ? "" : port.hostIp) &&
    (!range || (port.hostPort >= range.first && port.hostPort <= range.last))
  );
}

const anyAddresses = ["0.0.0.0", "::"];

/** A port that is published to all addresses is named by "" or by either of these. */
function hasAddress(written: string, address: string): boolean {
  return (
    written === "" || written === address || (address === "" && anyAddresses.includes(written))
  );
}

function isSame(a: ContainerPort, b: ContainerPort): boolean {
  return a.protocol === b.protocol && a.containerPort === b.containerPort;
}

function nameOf({ containerPort, protocol }: ContainerPort): string {
  return `${containerPort}/${protocol}`;
}

function rangeText(range: Place["range"]): string {
  if (!range) return "";
  return range.first === range.last ? `${range.first}` : `${range.first}-${range.last}`;
}

/** The key under which a record has a port already, however it is written there. */
function keyIn(record: Readonly<Record<string, unknown>>, key: string): string {
  const port = parseContainerPort(key);
  if (!port) throw new Fault("invalid", `invalid port specification: "${key}"`, { about: key });
  const known = Object.keys(record).find((each) => {
    const other = parseContainerPort(each);
    return other !== undefined && isSame(other, port);
  });
  return known ?? nameOf(port);
}

function notPublished(port: ContainerPort, { hostIp, range }: Place): Fault {
  const address = hostIp.includes(":") ? `[${hostIp}]` : hostIp;
  const host = [address, rangeText(range)].filter(Boolean).map((part) => `${part}:`);
  const about = `${host.join("")}${nameOf(port)}`;
  return new Fault(
    "not_found",
    `${about} is not published by itself: thimble port lists what is; what -P has published goes with the container`,
    { about },
  );
}
