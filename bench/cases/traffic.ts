import type { EngineHost, EngineHosts } from "../engine-hosts.ts";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import { interleave } from "../statistics.ts";

const network = "bench";
const [streamPort, questionPort] = ["7001", "7002"];
const mebibytes = 256;
const connections = 4000;
const parallel = 16;
/** Less by what the medians of two equals may differ. */
const notSlower = 0.95;

/** A server in a container, published, beside a container of the same network. */
interface Server {
  readonly host: EngineHost;
  readonly address: string;
  readonly ids: readonly string[];
  /** Puts a command into the network namespace of the other container. */
  readonly beside: (argv: readonly string[]) => string[];
}

/** A path to the server: what puts a client at its beginning, and the address at its end. */
const paths = {
  "container to container": ({ beside, address }: Server) => [beside, address] as const,
  "published port, from outside": ({ host }: Server) => [host.outside, host.address] as const,
  "published port, from the host": ({ host }: Server) => [host.onHost, host.address] as const,
  "published port, over loopback": ({ host }: Server) => [host.onHost, "127.0.0.1"] as const,
};
const loopback = "published port, over loopback";

/** One TCP stream by each path, in both directions. */
export async function throughput(hosts: EngineHosts): Promise<Finding[]> {
  const findings: Finding[] = [];
  const servers = await startServers(hosts);
  for (const [path, of] of Object.entries(paths))
    for (const [verb, way] of [
      ["send", "to"],
      ["fetch", "from"],
    ] as const)
      findings.push({
        kind: "timed",
        title: `${mebibytes} MiB ${way} the server, ${path}`,
        samples: await interleave(
          servers.map((server) => {
            const [place, address] = of(server);
            const words = [verb, address, streamPort, String(mebibytes)];
            const argv = place([hosts.traffic, ...words]);
            return { name: server.host.name, run: async () => void (await command(argv)) };
          }),
          Math.min(hosts.rounds, 10),
          1,
        ),
        ...bars(servers, path === loopback ? 2 : notSlower),
      });
  await stopServers(servers);
  return findings;
}

/** New connections by each path, each with a question and an answer. */
export async function connect(hosts: EngineHosts): Promise<Finding[]> {
  const findings: Finding[] = [];
  const servers = await startServers(hosts);
  for (const [path, of] of Object.entries(paths))
    findings.push({
      kind: "timed",
      title: `${connections} connections, ${parallel} at a time, ${path}`,
      samples: await interleave(
        servers.map((server) => {
          const [place, address] = of(server);
          const words = ["ask", address, questionPort, String(connections), String(parallel)];
          const argv = place([hosts.traffic, ...words]);
          return { name: server.host.name, run: async () => void (await command(argv)) };
        }),
        Math.min(hosts.rounds, 10),
        1,
      ),
      ...bars(servers, notSlower),
    });
  await stopServers(servers);
  return findings;
}

function bars({ length }: readonly Server[], factor: number) {
  return length > 1 ? { bars: [{ against: "docker", factor }] } : {};
}

function startServers({ all, image }: EngineHosts): Promise<Server[]> {
  return Promise.all(
    all.map(async (host) => {
      const { api } = host;
      await api.createNetwork(network);
      const serve = ["/bin/traffic", "serve", streamPort, questionPort];
      const ports = [`${streamPort}/tcp`, `${questionPort}/tcp`];
      const server = await api.create(image, serve, {
        ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])),
        HostConfig: {
          NetworkMode: network,
          PortBindings: Object.fromEntries(
            ports.map((port) => [port, [{ HostPort: port.split("/")[0] }]]),
          ),
        },
      });
      const other = await api.create(image, ["/bin/sleep", "10000"], {
        HostConfig: { NetworkMode: network },
      });
      for (const id of [server, other]) await api.start(id);
      const place = `--net=/proc/${await api.pid(other)}/ns/net`;
      return {
        host,
        address: await api.addressIn(server, network),
        ids: [server, other],
        beside: (argv) => ["nsenter", place, ...argv],
      };
    }),
  );
}

async function stopServers(servers: readonly Server[]): Promise<void> {
  for (const { host, ids } of servers) {
    for (const id of ids) await host.api.remove(id);
    await host.api.removeNetwork(network);
  }
}
