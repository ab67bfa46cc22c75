import type { ContainerBody } from "../engine-api.ts";
import type { EngineHost, EngineHosts } from "../engine-hosts.ts";
import type { Finding } from "../report.ts";
import { interleave, median } from "../statistics.ts";

const network = "bench";
/** Milliseconds for the way into a network and out of it. */
const limit = 3;
const factor = 10;

const twoPorts: ContainerBody = {
  ExposedPorts: { "80/tcp": {}, "53/udp": {} },
  HostConfig: {
    PortBindings: { "80/tcp": [{ HostPort: "18080" }], "53/udp": [{ HostPort: "18053" }] },
  },
};

/**
 * A container's way into a user-defined network and out of it: interface, address, names and two
 * published ports; of one that runs, and as a part of a run.
 */
export async function attach({ all, image, rounds }: EngineHosts): Promise<Finding[]> {
  const times = Math.min(rounds, 20);
  const running = await Promise.all(all.map(({ api }) => member(api, image)));
  const changes = await interleave(
    all.map(({ name, api }, index) => ({
      name,
      run: async () => {
        await api.disconnect(network, running[index] ?? "");
        await api.connect(network, running[index] ?? "");
      },
    })),
    times,
  );
  await Promise.all(all.map(({ api }, index) => api.remove(running[index] ?? "")));
  const runs = await interleave(
    all.flatMap(({ name, api }) => [
      {
        name: `${name}, two ports`,
        run: async () => void (await api.runOnce(image, network, twoPorts)),
      },
      { name: `${name}, --network none`, run: async () => void (await api.runOnce(image, "none")) },
    ]),
    times,
  );
  await Promise.all(all.map(({ api }) => api.removeNetwork(network)));
  const [with0 = NaN, without0 = NaN, withTheirs, withoutTheirs] = runs.map(median);
  const own = with0 - without0;
  const theirs = (withTheirs ?? NaN) - (withoutTheirs ?? NaN);
  return [
    {
      kind: "timed",
      title: "API: network disconnect and connect of a container with two ports",
      samples: changes,
      atMost: limit,
      ...(all.length > 1 && { bars: [{ against: "docker", factor }] }),
    },
    { kind: "timed", title: "API: create, start, wait, remove", samples: runs },
    {
      kind: "figure",
      title: "a network and two ports, in addition to --network none",
      figure: `${own.toFixed(2)} ms`,
      bar: `at most ${limit} ms`,
      holds: own <= limit,
    },
    ...(all.length > 1
      ? [
          {
            kind: "figure",
            title: "the same, Docker over thimble",
            figure: `${(theirs / own).toFixed(1)}×`,
            bar: `at least ${factor}×`,
            holds: theirs / own >= factor,
          } as const,
        ]
      : []),
  ];
}

async function member(api: EngineHost["api"], image: string): Promise<string> {
  await api.createNetwork(network);
  const id = await api.create(image, ["/bin/sleep", "1000"], {
    ...twoPorts,
    HostConfig: { ...twoPorts.HostConfig, NetworkMode: network },
  });
  await api.start(id);
  return id;
}
