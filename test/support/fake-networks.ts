import { Fault } from "../../src/base/index.ts";
import type { EngineNetwork, EngineNetworks } from "../../src/engine/networks/network-contract.ts";

/** The network of a fake engine, as an engine shows one with an address for each field. */
const fakeNetwork: EngineNetwork = {
  id: "n1".padEnd(64, "0"),
  name: "front",
  driver: "bridge",
  createdAt: 1_700_000_000_000_000_000n,
  isPredefined: false,
  bridge: "th0-n1000000",
  subnet: "10.7.0.0/24",
  gateway: "10.7.0.1",
  hasIpv4: true,
  hasIpv6: false,
  subnet6: "",
  gateway6: "",
  hostBinding: "0.0.0.0",
  linkPrefix: "eth",
  subnets: [],
  isInternal: false,
  isAttachable: false,
  labels: {},
  options: {},
  members: [],
};

/** The networks of an engine in memory: one, "front"; what reaches it is noted. */
export function fakeNetworks(calls: string[]): EngineNetworks {
  const note = (what: string, value: unknown) => calls.push(`${what} ${JSON.stringify(value)}`);
  const get = (ref: string) => {
    if (ref === "front") return fakeNetwork;
    throw new Fault("not_found", `network ${ref} not found`);
  };
  return {
    list: (filters) => {
      note("networks", filters);
      return [fakeNetwork];
    },
    get,
    create: async (request) => {
      note("create network", request);
      return { ...fakeNetwork, warnings: ["nothing goes out"] };
    },
    hostGateway: async () => "192.0.2.1",
    remove: async (ref) => void note("remove network", get(ref).name),
    prune: async (filters) => {
      note("prune networks", filters);
      return [];
    },
    connect: async (ref, container, settings) => {
      note(`connect ${get(ref).name} ${container}`, settings);
    },
    disconnect: async (ref, container, options) => {
      note(`disconnect ${ref} ${container}`, options);
    },
    fault: async (container, fault) => void note(`fault network of ${container}`, fault),
    explain: async (ref) => {
      note("explain networks", ref);
      const port = {
        protocol: "tcp",
        containerPort: 80,
        hostIp: "0.0.0.0",
        hostPort: 8080,
      } as const;
      const path = { path: "translated", reason: "none filters", reachedBy: "all" } as const;
      const traffic = { clientsNow: 1, clients: 2n, bytesIn: 3n, bytesOut: 4n };
      const translated = {
        received: { packets: 5n, bytes: 6n },
        sent: { packets: 7n, bytes: 8n },
      };
      const ports = [{ ...port, ...path, traffic, translated }];
      return [
        {
          ...{ container: "c1" as never, name: "web", ports },
          egress: [{ network: "bridge", reason: "a chain drops", fix: ["nft x"] }],
          refused: [{ network: "front", packets: 9n, bytes: 10n }],
        },
      ];
    },
    mend: async (container) => void note("mend network of", container),
    names: () => new Map(),
  };
}
