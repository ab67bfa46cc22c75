import { command, group, many } from "../command.ts";
import { bool, commaList, duration, filter, int, list, map, text } from "../flag.ts";
import { format, json, pruneFlags } from "./containers.ts";

export const networkLsFlags = {
  filter: filter('Provide filter values (e.g. "driver=bridge")'),
  format,
  json,
  "no-trunc": bool("Do not truncate the output"),
  quiet: bool("Only display network IDs", { short: "q" }),
};

const strings = { placeholder: "strings" };

export const networkCreateFlags = {
  attachable: bool("Enable manual container attachment"),
  "aux-address": map("Auxiliary IPv4 or IPv6 addresses used by Network driver"),
  "config-from": text("The network from which to copy the configuration"),
  "config-only": bool("Create a configuration only network"),
  driver: text("Driver to manage the Network", { short: "d", shownDefault: "bridge" }),
  gateway: commaList("IPv4 or IPv6 Gateway for the master subnet", strings),
  ingress: bool("Create swarm routing-mesh network"),
  internal: bool("Restrict external access to the network"),
  "ip-range": commaList("Allocate container ip from a sub-range", strings),
  "ipam-driver": text("IP Address Management Driver", { shownDefault: "default" }),
  "ipam-opt": map("Set IPAM driver specific options"),
  ipv4: bool("Enable or disable IPv4 address assignment", { initial: true }),
  ipv6: bool("Enable or disable IPv6 address assignment"),
  label: list("Set metadata on a network"),
  opt: list("Set driver specific options", { short: "o", placeholder: "map" }),
  scope: text("Control the network's scope"),
  subnet: commaList("Subnet in CIDR format that represents a network segment", strings),
};

export const networkInspectFlags = {
  format: text('Format output using a Go template, or "json"', { short: "f" }),
  json,
  verbose: bool("Verbose output for diagnostics", { short: "v" }),
};

export const networkRmFlags = {
  force: bool("Do not error if the network does not exist", { short: "f" }),
};

export const networkConnectFlags = {
  alias: commaList("Add network-scoped alias for the container", strings),
  "driver-opt": commaList("driver options for the network", strings),
  "gw-priority": int(
    "Highest gw-priority provides the default gateway. Accepts positive and negative values.",
  ),
  ip: text('IPv4 address (e.g., "172.30.100.104")'),
  ip6: text('IPv6 address (e.g., "2001:db8::33")'),
  link: list("Add link to another container"),
  "link-local-ip": commaList("Add a link-local address for the container", strings),
};

export const networkFaultFlags = {
  clear: bool("Take all faults of the container back"),
  delay: duration("How much later what it sends is sent (needs the kernel's sch_netem)"),
  loss: text("How many packets are lost, sent and received ones, in percent"),
  partition: commaList("Containers that it exchanges nothing with", { placeholder: "containers" }),
};

export const networkDisconnectFlags = {
  force: bool("Force the container to disconnect from a network", { short: "f" }),
};

const ls = command({
  summary: "List networks",
  usage: "[OPTIONS]",
  flags: networkLsFlags,
  examples: [["network ls --filter type=custom", "the networks that were made"]],
  load: async () => (await import("../verb/network.ts")).listNetworks,
});

const create = command({
  summary: "Create a network",
  usage: "[OPTIONS] NETWORK",
  flags: networkCreateFlags,
  args: [1, 1],
  examples: [
    ["network create front", "containers in it reach each other, and no other network's"],
    ["network create --subnet 10.7.0.0/24 --gateway 10.7.0.254 lab", "with addresses you choose"],
    ["network create --internal db", "without a way out"],
  ],
  load: async () => (await import("../verb/network.ts")).createNetwork,
  rehearse: async () => (await import("../verb/dry-run-change.ts")).createNetwork,
});

const inspect = command({
  summary: "Display detailed information on one or more networks",
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  flags: networkInspectFlags,
  args: [1, many],
  complete: "network",
  load: async () => (await import("../verb/inspect.ts")).inspectNetworks,
});

const rm = command({
  summary: "Remove one or more networks",
  usage: "NETWORK [NETWORK...]",
  flags: networkRmFlags,
  args: [1, many],
  complete: "network",
  load: async () => (await import("../verb/network.ts")).removeNetworks,
  rehearse: async () => (await import("../verb/dry-run-removal.ts")).removeNetworks,
});

const prune = command({
  summary: "Remove all unused networks",
  usage: "[OPTIONS]",
  flags: pruneFlags,
  load: async () => (await import("../verb/prune.ts")).pruneNetworks,
  rehearse: async () => (await import("../verb/dry-run-removal.ts")).pruneNetworks,
});

const connect = command({
  summary: "Connect a container to a network",
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: networkConnectFlags,
  args: [2, 2],
  complete: "network",
  examples: [["network connect --ip 10.7.0.9 lab web", "a running container, with its address"]],
  load: async () => (await import("../verb/network.ts")).connectNetwork,
  rehearse: async () => (await import("../verb/dry-run-change.ts")).connectNetwork,
});

const disconnect = command({
  summary: "Disconnect a container from a network",
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: networkDisconnectFlags,
  args: [2, 2],
  complete: "network",
  load: async () => (await import("../verb/network.ts")).disconnectNetwork,
  rehearse: async () => (await import("../verb/dry-run-change.ts")).disconnectNetwork,
});

const explain = command({
  summary:
    "Show who reaches the published ports of containers and how, and what keeps them from others",
  usage: "[OPTIONS] [CONTAINER|PORT]",
  flags: { json },
  args: [0, 1],
  complete: "running",
  examples: [
    ["network explain web", "the ports of a container, and its way out"],
    ["network explain 8080", "who has port 8080 of this host, and who reaches it"],
  ],
  load: async () => (await import("../verb/network-explain.ts")).explainNetwork,
});

const fault = command({
  summary: "Make a running container's network go wrong, for tests, until it ends",
  usage: "[OPTIONS] CONTAINER",
  flags: networkFaultFlags,
  args: [1, 1],
  complete: "running",
  examples: [
    ["network fault --loss 5% web", "lose each twentieth packet, in both directions"],
    ["network fault --delay 100ms web", "send everything a tenth of a second later"],
    ["network fault --partition db,cache web", "keep it apart from two other containers"],
    ["network fault --clear web", "all is well again"],
  ],
  load: async () => (await import("../verb/network-fault.ts")).faultNetwork,
});

export const networkGroup = group("Manage networks", {
  connect,
  create,
  disconnect,
  explain,
  fault,
  inspect,
  ls,
  list: { ...ls, hidden: true },
  prune,
  rm,
  remove: { ...rm, hidden: true },
});
