import { Fault } from "#base";
import { connectSchema } from "#container";
import type {
  CreatedNetwork,
  EngineNetwork,
  NetworkCreateRequest,
  NetworkDescription,
  SubnetRequest,
} from "#engine";
import type { NetworkContainer, NetworkCreateBody, NetworkInspect } from "#wire";
import { loadSchemas } from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./router.ts";
import { timeText } from "./time-text.ts";
import { containerOf } from "./wording.ts";

/** The endpoints of /networks. */
export function networkRoutes(context: ApiContext): readonly Route[] {
  const on =
    (handle: (context: ApiContext, exchange: Exchange) => Promise<void> | void) =>
    (exchange: Exchange) =>
      handle(context, exchange);
  return [
    { method: "GET", pattern: "/networks", handle: on(list) },
    { method: "GET", pattern: "/networks/", handle: on(list) },
    { method: "POST", pattern: "/networks/create", handle: on(create) },
    { method: "POST", pattern: "/networks/prune", handle: on(prune) },
    { method: "POST", pattern: "/networks/*id/connect", handle: on(connect) },
    { method: "POST", pattern: "/networks/*id/disconnect", handle: on(disconnect) },
    { method: "GET", pattern: "/networks/*id", handle: on(inspect) },
    { method: "DELETE", pattern: "/networks/*id", handle: on(remove) },
  ];
}

const filterKeys = ["dangling", "driver", "id", "label", "name", "scope", "type"];

function list({ engine }: ApiContext, exchange: Exchange): void {
  const filters = exchange.query.filters(filterKeys);
  const shown = exchange.has("shortNetworkList") ? summaryOf : inspectNetwork;
  exchange.sendJson(200, engine.networks.list(filters).map(shown));
}

/** A network as lists show it: without its containers, as in Docker. */
function summaryOf(network: EngineNetwork): NetworkInspect {
  return { ...inspectNetwork(network), Containers: {} };
}

/** A network as `docker network inspect` shows it. */
function inspectNetwork(network: EngineNetwork): NetworkInspect {
  return {
    Name: network.name,
    Id: network.id,
    Created: timeText(network.createdAt),
    Scope: "local",
    Driver: network.driver,
    EnableIPv4: network.hasIpv4,
    EnableIPv6: network.hasIpv6,
    IPAM: {
      Driver: network.ipamDriver ?? "default",
      Options: network.ipamOptions ?? null,
      Config: hasAddresses(network) ? ipamOf(network) : null,
    },
    Internal: network.isInternal,
    Attachable: network.isAttachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom ?? "" },
    ConfigOnly: network.isConfigOnly ?? false,
    Containers: Object.fromEntries(
      network.members.map((each) => [
        each.container,
        {
          Name: each.name,
          EndpointID: each.endpointId,
          MacAddress: each.mac,
          IPv4Address: each.address === "" ? "" : `${each.address}/${each.prefixLength}`,
          IPv6Address: each.address6 === "" ? "" : `${each.address6}/${each.prefixLength6}`,
        } satisfies NetworkContainer,
      ]),
    ),
    Options: sorted(network.options),
    Labels: sorted(network.labels),
  };
}

/** Whether there is something to say of its addresses; a configuration may leave them to the networks. */
function hasAddresses({ driver, isConfigOnly, subnets }: EngineNetwork): boolean {
  return isConfigOnly ? subnets.length > 0 : driver !== "host" && driver !== "null";
}

/** Go writes maps in the order of their keys. */
function sorted(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What was asked for, as it was; behind it what was chosen, with the gateway. */
function ipamOf(network: EngineNetwork): NetworkInspect["IPAM"]["Config"] {
  const { subnets, subnet, gateway, subnet6, gateway6 } = network;
  const isIpv6 = (text: string) => text.includes(":");
  const chosen = [
    { Subnet: subnet, ...(gateway !== "" && { Gateway: gateway }) },
    { Subnet: subnet6, ...(gateway6 !== "" && { Gateway: gateway6 }) },
  ].filter(
    ({ Subnet }) =>
      Subnet !== "" && !subnets.some((asked) => isIpv6(asked.subnet) === isIpv6(Subnet)),
  );
  const asked = subnets.map((each) => ({
    Subnet: each.subnet,
    ...(each.range !== "" && { IPRange: each.range }),
    ...(each.gateway !== "" && { Gateway: each.gateway }),
    ...(Object.keys(each.reserved).length > 0 && { AuxiliaryAddresses: each.reserved }),
  }));
  return [...asked, ...chosen];
}

function inspect({ engine }: ApiContext, exchange: Exchange): void {
  const scope = exchange.query.text("scope");
  exchange.query.truth("verbose");
  const network = engine.networks.get(exchange.param("id"));
  if (scope !== undefined && scope !== "local")
    throw new Fault("not_found", `network ${exchange.param("id")} not found`);
  exchange.sendJson(200, inspectNetwork(network));
}

async function create({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { networkCreateSchema } = await loadSchemas();
  const body = await exchange.json(networkCreateSchema);
  const made = await engine.networks.create(requestOf(body));
  exchange.sendJson(201, { Id: made.id, Warning: warningsOf(made).join("\n") });
}

function warningsOf(made: CreatedNetwork): readonly string[] {
  return [unusedSubnets(made), ...made.warnings].filter((each) => each !== "");
}

/** Docker takes subnets of a version that the network has not, and says nothing. */
function unusedSubnets({ subnets, hasIpv4, hasIpv6 }: NetworkDescription): string {
  const unused = subnets.filter(({ subnet }) => (subnet.includes(":") ? !hasIpv6 : !hasIpv4));
  const texts = unused.map(({ subnet }) => subnet).join(", ");
  return (
    texts && `the network has no addresses of ${texts}: IPv6 is turned on by EnableIPv6 (--ipv6)`
  );
}

/** What the body asks for; `denied`, `unsupported` and `invalid`, in Docker's words, for what this engine has not. */
function requestOf(body: NetworkCreateBody): NetworkCreateRequest {
  refuse(body);
  return {
    name: body.Name ?? "",
    driver: body.Driver ?? "",
    subnets: (body.IPAM?.Config ?? []).map(subnetOf),
    ...(typeof body.EnableIPv4 === "boolean" && { hasIpv4: body.EnableIPv4 }),
    ...(typeof body.EnableIPv6 === "boolean" && { hasIpv6: body.EnableIPv6 }),
    isInternal: body.Internal ?? false,
    isAttachable: body.Attachable ?? false,
    labels: body.Labels ?? {},
    options: body.Options ?? {},
    ...(body.IPAM?.Options && { ipamOptions: body.IPAM.Options }),
    ...(body.ConfigFrom?.Network && { configFrom: body.ConfigFrom.Network }),
    ...(body.ConfigOnly && { isConfigOnly: true, ipamDriver: body.IPAM?.Driver || "default" }),
  };
}

type SentSubnet = NonNullable<NonNullable<NetworkCreateBody["IPAM"]>["Config"]>[number];

function subnetOf({ Subnet, IPRange, Gateway, AuxiliaryAddresses }: SentSubnet): SubnetRequest {
  return {
    subnet: Subnet ?? "",
    range: IPRange ?? "",
    gateway: Gateway ?? "",
    reserved: AuxiliaryAddresses ?? {},
  };
}

function refuse(body: NetworkCreateBody): void {
  if (body.ConfigOnly) {
    if (body.Ingress || body.Scope || body.Internal || body.Attachable)
      throw new Fault(
        "denied",
        "configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.",
      );
    return;
  }
  if (body.Ingress) throw new Fault("denied", "Ingress network can only be global scope network");
  if (body.Scope && body.Scope !== "local")
    throw new Fault("denied", "cannot create a swarm scoped network when swarm is not active");
  const ipam = body.IPAM?.Driver ?? "";
  if (ipam !== "" && ipam !== "default")
    throw new Fault("not_found", `plugin "${ipam}" not found`, { about: ipam });
}

async function remove({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  await engine.networks.remove(exchange.param("id"));
  exchange.sendEmpty(204);
}

async function prune({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const filters = exchange.query.filters(["until", "label", "label!"]);
  const removed = await engine.networks.prune(filters);
  exchange.sendJson(200, { NetworksDeleted: removed.length > 0 ? removed : null });
}

async function connect({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { Container, EndpointConfig } = await exchange.json(connectSchema);
  await engine.networks.connect(exchange.param("id"), Container ?? "", EndpointConfig ?? {});
  exchange.sendEmpty(200);
}

async function disconnect({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { networkDisconnectSchema } = await loadSchemas();
  const { Container, Force } = await exchange.json(networkDisconnectSchema);
  if (!Force) containerOf(engine, Container ?? "");
  await engine.networks.disconnect(exchange.param("id"), Container ?? "", {
    force: Force ?? false,
  });
  exchange.sendEmpty(200);
}
