import type { Scope } from "#base";
import {
  addAddress,
  createBridge,
  createVeth,
  type Fd,
  newNetworkNamespace,
  RouteTable,
  replaceRoute,
  setLinkUp,
} from "#kernel";

interface Neighbour {
  readonly netns: Fd;
  readonly address: string;
  /** The host's address in that network. */
  readonly gateway: string;
  /** The same of IPv6. */
  readonly address6: string;
  readonly gateway6: string;
}

/** A host that forwards or does not, and two machines in networks of its that are not an engine's. */
export interface Host {
  readonly netns: Fd;
  readonly left: Neighbour;
  readonly right: Neighbour;
}

/** The host `10.9.N.1` and `fd09:N::1` of the machines `10.9.N.2` and `fd09:N::2`; all of it goes with the scope. */
export async function makeHost(scope: Scope, forwards: "0" | "1"): Promise<Host> {
  const netns = scope.use(
    await newNetworkNamespace({
      "net.ipv4.ip_forward": forwards,
      "net.ipv6.conf.all.forwarding": forwards,
    }),
  );
  await new RouteTable({ netns }).apply(setLinkUp(1));
  const left = await addNeighbour(scope, netns, 1);
  const right = await addNeighbour(scope, netns, 2);
  return { netns, left, right };
}

async function addNeighbour(scope: Scope, host: Fd, number: number): Promise<Neighbour> {
  const netns = scope.use(await newNetworkNamespace());
  const [outer, inner] = [new RouteTable({ netns: host }), new RouteTable({ netns })];
  const name = `lan${number}`;
  const gateway = `10.9.${number}.1`;
  const address = `10.9.${number}.2`;
  const [gateway6, address6] = [`fd09:${number}::1`, `fd09:${number}::2`];
  await outer.apply(createBridge({ name, mac: `02:00:00:00:01:0${number}` }));
  const master = (await outer.link(name))?.index ?? 0;
  const peer = { name: "eth0", mac: `02:00:00:00:02:0${number}`, netns };
  await outer.apply(
    addAddress({ index: master, address: gateway, prefixLength: 24 }),
    addAddress({ index: master, address: gateway6, prefixLength: 64 }),
    createVeth({ name: `port${number}`, master, peer }),
    setLinkUp(`port${number}`),
  );
  const index = (await inner.link("eth0"))?.index ?? 0;
  await inner.apply(
    setLinkUp(1),
    setLinkUp(index),
    addAddress({ index, address, prefixLength: 24 }),
    addAddress({ index, address: address6, prefixLength: 64 }),
    replaceRoute({ destination: "0.0.0.0", prefixLength: 0, gateway, index }),
    replaceRoute({ destination: "::", prefixLength: 0, gateway: gateway6, index }),
  );
  return { netns, address, gateway, address6, gateway6 };
}
