import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command, type Peers } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave, median } from "../statistics.ts";

const services = 20;
const bar = 4;

/** The same program of Docker Compose against both engines: twenty services up, and down again. */
export async function compose({ subject, peers, image, rounds }: Stage): Promise<Finding[]> {
  if (!peers) return [];
  const work = await mkdtemp("/var/tmp/thimble-compose-");
  const file = join(work, "compose.yaml");
  await writeFile(file, project(image));
  const engines = [
    { name: "thimble", host: subject.host },
    { name: "docker", host: peers.dockerHost },
  ];
  const run = async (host: string, ...words: string[]) =>
    void (await command([composeProgram(peers), "-f", file, ...words], { DOCKER_HOST: host }));
  const samples = await interleave(
    engines.map(({ name, host }) => ({
      name,
      run: async () => {
        await run(host, "up", "-d");
        await run(host, "down");
      },
    })),
    Math.ceil(rounds / 5),
    1,
  );
  await rm(work, { recursive: true });
  const [own = 0, docker = 0] = samples.map(median);
  return [
    { kind: "timed", title: `compose: ${services} services up and down`, samples },
    {
      kind: "figure",
      title: `compose: ${services} services up and down, Docker over thimble`,
      figure: `${(docker / own).toFixed(1)}×`,
      bar: `at least ${bar}×`,
      holds: docker / own >= bar,
    },
  ];
}

const composeProgram = ({ tree }: Peers) =>
  join(tree, "usr/libexec/docker/cli-plugins/docker-compose");

/** Services that end at once when they are asked to, so that nobody's patience is measured. */
function project(image: string): string {
  const service = { image, command: ["/bin/sleep", "1000"], init: true };
  const names = Array.from({ length: services }, (_, number) => `service-${number + 1}`);
  return JSON.stringify({
    name: "thimble-bench",
    services: Object.fromEntries(names.map((name) => [name, service])),
  });
}
