import { Fault, isFault } from "#base";
import {
  createNowhere,
  createVlan,
  hasStackedKind,
  type Link,
  RouteTable,
  setLinkAlias,
} from "#kernel";
import { chooseSubnet } from "./address-pool.ts";
import type { Bridge, BridgeNames, WantedBridge, WantedSubnet } from "./bridge.ts";
import { routedSubnet } from "./route-overlap.ts";
import { formatSubnet, overlaps, type Subnet } from "./subnet.ts";
import type { VlanOptions } from "./vlan-options.ts";

const MAX_VLAN = 4094;

/**
 * The interface that containers of a macvlan or ipvlan network are on, and the network's addresses.
 * A VLAN of an interface that exists ("eth0.10"), or an interface that leads nowhere, is made.
 * Faults in Docker's words for a parent that cannot be had, `unsupported` for what the kernel lacks.
 */
export async function ensureParent(
  names: BridgeNames,
  { parent, type }: VlanOptions,
  wanted: WantedBridge,
): Promise<Bridge> {
  const host = new RouteTable();
  if (!(await hasStackedKind(host, type.kind)))
    throw lacking(type.kind, `network driver ${type.kind}`);
  const before = await host.link(names.bridge);
  if (before === undefined && parent === "") await makeNowhere(host, names);
  if (before === undefined && parent !== "") await makeVlan(host, names, wanted.owner);
  const link = before ?? (await host.link(names.bridge));
  if (link === undefined)
    throw new Fault("unavailable", `the interface ${names.bridge} was deleted by another program`);
  const { name, index, mtu, mac } = link;
  const subnets = await Promise.all(wanted.subnets.map((each) => subnetFor(host, link, each)));
  return { name, index, mtu, mac, subnets };
}

function lacking(kind: string, what: string): Fault {
  return new Fault(
    "unsupported",
    `this kernel has no ${kind} interfaces (module ${modules[kind] ?? kind}), which the ${what} needs; load the module, or use another`,
    { about: kind },
  );
}

/** The modules of the kernel that are not named after their kind of interface. */
const modules: Readonly<Record<string, string>> = { vlan: "8021q" };

async function makeNowhere(host: RouteTable, names: BridgeNames): Promise<void> {
  // A kernel without dummy interfaces may have ifb ones, which lead nowhere too.
  for (const kind of ["dummy", "ifb"] as const) {
    try {
      await host.apply(createNowhere(names.bridge, kind), setLinkAlias(names.bridge, names.alias));
      return;
    } catch (error) {
      if (isFault(error, "exists")) return;
      if (!(error instanceof Fault) || error.errno !== "EOPNOTSUPP") throw error;
    }
  }
  throw lacking("dummy", "network without a parent");
}

/** `owner` is a network that had its parent before. */
async function makeVlan(host: RouteTable, names: BridgeNames, owner?: string): Promise<void> {
  const name = names.bridge;
  if (owner !== undefined && !name.includes("."))
    throw new Fault(
      "unavailable",
      `the requested parent interface ${name} was not found on the host; ${owner} needs it`,
      { about: name },
    );
  const [parent = "", number = "", ...more] = name.split(".");
  if (number === "" || more.length > 0)
    throw new Fault(
      "internal",
      `invalid subinterface vlan name ${name}, example formatting is eth0.10`,
    );
  if (!/^\d+$/.test(number))
    throw new Fault(
      "internal",
      `unable to parse a valid vlan id from: ${number} (ex. eth0.10 for vlan 10)`,
    );
  const link = await host.link(parent);
  if (link === undefined)
    throw new Fault("internal", `-o parent interface was not found on the host: ${parent}`);
  const id = Number(number);
  if (id < 1 || id > MAX_VLAN)
    throw new Fault("internal", `vlan id must be between 1-4094, received: ${number}`);
  if (!(await hasStackedKind(host, "vlan"))) throw lacking("vlan", `parent ${name}`);
  try {
    await host.apply(createVlan({ name, parent: link.index, id }), setLinkAlias(name, names.alias));
  } catch (error) {
    if (!isFault(error, "exists")) throw error;
  }
}

/** The addresses may well be those of the host's own network there; only other networks of the engine must not have them. */
async function subnetFor(host: RouteTable, link: Link, wanted: WantedSubnet): Promise<Subnet> {
  const { subnet, taken, version } = wanted;
  if (subnet === undefined) {
    const routes = (await host.unicastRoutes(version)).flatMap(
      (route) => routedSubnet(route) ?? [],
    );
    return chooseSubnet([...taken, ...routes], wanted.candidates());
  }
  if (taken.some((other) => overlaps(other, subnet)))
    throw new Fault(
      "denied",
      "invalid pool request: Pool overlaps with other one on this address space",
      { about: `${formatSubnet(subnet)} by ${link.name}` },
    );
  return subnet;
}
