import { createHash } from "node:crypto";
import { join } from "node:path";
import type { LayoutImage } from "../layout-image.ts";
import { heaviestWhile, showWeight, type Weight } from "../machine.ts";
import { command } from "../peers.ts";
import { debianRegistry, ownRegistry, type RegistryPeer, startRegistry } from "../registry-peer.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave, quantile } from "../statistics.ts";

const connections = 8;
const downloads = 96;

/** The load generator's own report. */
interface Load {
  readonly seconds: number;
  readonly bytes: number;
  readonly ownSeconds: number;
}

/** Eight connections that download the Debian image's layers over and over, from both registries. */
export async function registry(stage: Stage): Promise<Finding[]> {
  const { debian, registryBinary, directory } = await stage.library();
  await using own = await startRegistry(
    ownRegistry(stage.subject.binary, await directory("own-registry")),
  );
  await using reference = await startRegistry(
    debianRegistry(registryBinary, await directory("reference-registry"), { cache: true }),
  );
  const servers = [own, reference];
  const generator = join(await directory("load"), "load");
  await command(["cc", "-O2", "-o", generator, join(import.meta.dir, "../load.c")]);
  for (const server of servers) {
    await server.fill("debian", debian);
    await check(server, debian);
  }
  const loads = servers.map(() => [] as Load[]);
  const paths = debian.layers.map(({ digest }) => `/v2/debian/blobs/${digest}`);
  const load = async (server: RegistryPeer) => {
    const numbers = [server.port, connections, downloads].map(String);
    return JSON.parse(await command([generator, ...numbers, ...paths])) as Load;
  };
  const samples = await interleave(
    servers.map((server, index) => ({
      name: server.name,
      run: async () => void loads[index]?.push(await load(server)),
    })),
    Math.min(stage.rounds, 10),
    1,
  );
  // Apart from the timed rounds, since looking at a process holds it up, and in a new process,
  // since the memory of the pushes is not yet given back.
  const weights: Weight[] = [];
  for (const server of servers) {
    await server.restart();
    weights.push(await heaviestWhile(server.pid(), async () => void (await load(server))));
  }
  return [
    {
      kind: "timed",
      title: `registry: ${downloads} layers over ${connections} connections`,
      samples,
      bars: [{ against: reference.name, factor: 1 }],
      note: throughput(servers, loads),
    },
    ...compare(servers, weights),
  ];
}

/** The downloaded bytes are those that were pushed. */
async function check({ port, name }: RegistryPeer, { layers }: LayoutImage): Promise<void> {
  for (const { digest } of layers) {
    const response = await fetch(`http://127.0.0.1:${port}/v2/debian/blobs/${digest}`);
    const hash = createHash("sha256");
    for await (const bytes of response.body ?? []) hash.update(bytes);
    if (`sha256:${hash.digest("hex")}` !== digest)
      throw new Error(`${name} sends a wrong ${digest}`);
  }
}

function throughput(servers: readonly RegistryPeer[], loads: readonly (readonly Load[])[]): string {
  const each = servers.map(({ name }, index) => {
    const of = loads[index] ?? [];
    const rate = quantile(
      of.map(({ bytes, seconds }) => bytes / seconds / 1e9),
      0.5,
    );
    const busy = quantile(
      of.map(({ seconds, ownSeconds }) => ownSeconds / seconds),
      0.5,
    );
    return `${name} ${rate.toFixed(2)} GB/s with the client busy for ${(busy * 100).toFixed(0)} % of a core`;
  });
  return `${each.join(", ")}; the client drops bodies inside the kernel`;
}

function compare([own, reference]: readonly RegistryPeer[], weights: readonly Weight[]): Finding[] {
  const [ours, theirs] = weights;
  if (!own || !reference || !ours || !theirs) return [];
  return [
    {
      kind: "figure",
      title: "registry under that load: thimble",
      figure: showWeight(ours),
      bar: `RSS and PSS below those of ${reference.name}`,
      holds: ours.resident < theirs.resident && ours.proportional < theirs.proportional,
    },
    {
      kind: "figure",
      title: `registry under that load: ${reference.name}`,
      figure: showWeight(theirs),
    },
  ];
}
