import { defined, Fault, isFault, shortId } from "#base";
import type { NetworkCreateBody, NetworkInspect } from "#wire";
import type { Verb } from "../command.ts";
import { failureText } from "../failure.ts";
import { keyValues } from "../key-values.ts";
import { printListing, type Row, withOwnFormat } from "../listing.ts";
import { ipamConfig } from "../network-ipam.ts";
import type {
  networkConnectFlags,
  networkCreateFlags,
  networkDisconnectFlags,
  networkLsFlags,
  networkRmFlags,
} from "../table/networks.ts";

const heads = {
  ID: "NETWORK ID",
  Name: "NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  IPv4: "IPV4",
  IPv6: "IPV6",
  Internal: "INTERNAL",
  Labels: "LABELS",
  CreatedAt: "CREATED AT",
};

export const listNetworks: Verb<typeof networkLsFlags> = async (context, { flags: given }) => {
  const flags = withOwnFormat(context, given, "networks");
  const networks = await context.client.networks.list(flags.filter);
  const rows = networks
    .toSorted((a, b) => a.Name.localeCompare(b.Name, "en", { numeric: true }))
    .map((network) => networkRow(network, !flags["no-trunc"]));
  if (flags.quiet && !flags.format && !flags.json) {
    await context.out.write(rows.map((row) => `${row.ID}\n`).join(""));
    return 0;
  }
  const table = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";
  await printListing(context, { table, heads, rows }, flags);
  return 0;
};

function networkRow(network: NetworkInspect, trunc: boolean): Row {
  const labels = network.Labels ?? {};
  return {
    ID: trunc ? shortId(network.Id) : network.Id,
    Name: network.Name,
    Driver: network.Driver,
    Scope: network.Scope,
    IPv4: String(network.EnableIPv4),
    IPv6: String(network.EnableIPv6),
    Internal: String(network.Internal),
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    Label: (key: unknown) => labels[String(key)] ?? "",
    // As Go prints a time of the engine.
    CreatedAt: `${network.Created.replace("T", " ").replace("Z", "")} +0000 UTC`,
  };
}

export const createNetwork: Verb<typeof networkCreateFlags> = async (context, invocation) => {
  const { flags, given, args } = invocation;
  const [name = ""] = args;
  const body: NetworkCreateBody = {
    Name: name,
    Driver: flags.driver ?? "bridge",
    Scope: flags.scope ?? "",
    ...(given.has("ipv4") && { EnableIPv4: flags.ipv4 }),
    ...(given.has("ipv6") && { EnableIPv6: flags.ipv6 }),
    IPAM: {
      Driver: flags["ipam-driver"] ?? "default",
      Options: { ...flags["ipam-opt"] },
      Config: ipamConfig(flags),
    },
    Internal: flags.internal,
    Attachable: flags.attachable,
    Ingress: flags.ingress,
    ConfigOnly: flags["config-only"],
    ...(flags["config-from"] && { ConfigFrom: { Network: flags["config-from"] } }),
    Options: { ...keyValues(flags.opt) },
    Labels: { ...keyValues(flags.label) },
  };
  const { Id, Warning } = await context.client.networks.create(body);
  if (Warning) await context.err.write(`WARNING: ${Warning}\n`);
  await context.out.write(`${Id}\n`);
  return 0;
};

export const removeNetworks: Verb<typeof networkRmFlags> = async (context, { flags, args }) => {
  let status = 0;
  for (const ref of args) {
    try {
      await context.client.networks.remove(ref);
      await context.out.write(`${ref}\n`);
    } catch (error) {
      if (flags.force && isFault(error, "not_found")) continue;
      await context.err.write(`${failureText(error)}\n`);
      status = 1;
    }
  }
  return status;
};

export const connectNetwork: Verb<typeof networkConnectFlags> = async (context, invocation) => {
  const { flags, args } = invocation;
  const [network = "", container = ""] = args;
  for (const each of flags["driver-opt"])
    if (!each.includes("="))
      throw new Fault("invalid", "invalid key/value pair format in driver options");
  const options = flags["driver-opt"];
  await context.client.networks.connect(network, container, {
    IPAMConfig: {
      ...defined({ IPv4Address: flags.ip, IPv6Address: flags.ip6 }),
      ...(flags["link-local-ip"].length > 0 && { LinkLocalIPs: [...flags["link-local-ip"]] }),
    },
    ...(flags.link.length > 0 && { Links: [...flags.link] }),
    Aliases: [...flags.alias],
    DriverOpts: { ...keyValues(options) },
    GwPriority: flags["gw-priority"] ?? 0,
  });
  return 0;
};

export const disconnectNetwork: Verb<typeof networkDisconnectFlags> = async (context, call) => {
  const [network = "", container = ""] = call.args;
  await context.client.networks.disconnect(network, container, call.flags);
  return 0;
};
