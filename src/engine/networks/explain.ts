import { Fault } from "#base";
import type { ContainerRecord } from "../containers/container-record.ts";
import { isUp } from "../containers/container-record.ts";
import { hasInterface, networksOf } from "../containers/sandbox.ts";
import type { Parts } from "../parts.ts";
import type { NetworkExplanation } from "./network-contract.ts";

type ExplainParts = Parts<"networks" | "ports" | "store" | "sandboxes">;

/** The ports of all containers that run, of one, or those at a port of the host; and what containers send. */
export async function explainNetworks(
  parts: ExplainParts,
  ref: string,
): Promise<readonly NetworkExplanation[]> {
  const hostPort = /^\d{1,5}$/.test(ref) ? Number(ref) : undefined;
  const all = [...parts.store.all()].filter(({ state }) => isUp(state));
  const records = ref === "" || hostPort !== undefined ? all : [running(parts, ref)];
  const explained = await Promise.all(records.map((record) => explain(parts, record)));
  if (hostPort === undefined) return explained;
  const found = explained
    .map((each) => ({ ...each, ports: each.ports.filter((port) => port.hostPort === hostPort) }))
    .filter(({ ports }) => ports.length > 0);
  if (found.length > 0) return found;
  throw new Fault("not_found", `no container of this engine publishes port ${ref}`, { about: ref });
}

function running(parts: ExplainParts, ref: string): ContainerRecord {
  const record = parts.store.find(ref);
  if (isUp(record.state)) return record;
  throw new Fault("conflict", `container ${record.name} is not running: it has no ports now`, {
    about: record.name,
  });
}

async function explain(parts: ExplainParts, record: ContainerRecord): Promise<NetworkExplanation> {
  const networks = networksOf(parts, record)
    .filter(({ networkId }) => networkId !== "")
    .map(({ networkId }) => parts.networks.find(networkId));
  const [ports, four, six] = await Promise.all([
    parts.ports.explain(record.id),
    parts.ports.forwardPolicy(4),
    parts.ports.forwardPolicy(6),
  ]);
  const egress = networks
    .filter(({ bridge }) => bridge !== "")
    .flatMap(({ name, bridge, isInternal, hasIpv4, hasIpv6 }) => {
      if (isInternal) return [{ network: name, reason: "the network is internal", fix: [] }];
      const policies = [hasIpv4 ? four : undefined, hasIpv6 ? six : undefined];
      const blocking = policies.flatMap((policy) => policy?.blocking(bridge) ?? []);
      return blocking.map((each) => ({ network: name, ...each }));
    });
  const refused = await refusedFrames(parts, record);
  return { container: record.id, name: record.name, ports, egress, refused };
}

async function refusedFrames(
  parts: ExplainParts,
  record: ContainerRecord,
): Promise<NetworkExplanation["refused"]> {
  const endpoints = networksOf(parts, record).filter(hasInterface);
  const all = endpoints.map(async (endpoint) => {
    const count = await parts.networks.refusedFrames(endpoint);
    return count ? [{ network: endpoint.network, ...count }] : [];
  });
  return (await Promise.all(all)).flat();
}
