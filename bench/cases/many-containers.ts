import { connectApi } from "../engine-api.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave, median } from "../statistics.ts";

const count = 1000;
/** Answers that are waited for at once, as of a few clients, and in one turn. */
const clients = 4;
const perTurn = 40;
const bar = 5;

/** The list of a thousand containers over the API, beside dockerd. */
export async function manyContainers({ subject, peers, image, rounds }: Stage): Promise<Finding[]> {
  const hosts = [
    { name: "thimble", host: subject.host },
    ...(peers ? [{ name: "docker", host: peers.dockerHost }] : []),
  ];
  const engines = hosts.map(({ name, host }) => ({ name, api: connectApi(host) }));
  const made = await Promise.all(
    engines.map(async ({ api }) => {
      const ids: string[] = [];
      for (let number = 0; number < count; number++)
        ids.push(await api.create(image, ["/bin/true"]));
      return ids;
    }),
  );
  const samples = await interleave(
    engines.map(({ name, api }) => ({
      name,
      run: async () => {
        const client = async () => {
          for (let turn = 0; turn < perTurn / clients; turn++) {
            const listed = await api.list();
            if (listed < count) throw new Error(`${listed} containers are listed, not ${count}`);
          }
        };
        await Promise.all(Array.from({ length: clients }, client));
      },
    })),
    rounds,
  );
  await Promise.all(
    engines.map(async ({ api }, index) => {
      for (const id of made[index] ?? []) await api.remove(id);
    }),
  );
  const perSecond = samples.map((sample) => (perTurn / median(sample)) * 1000);
  const [own = 0, docker] = perSecond;
  return [
    {
      kind: "figure",
      title: `GET /containers/json?all=1 with ${count} containers, ${clients} clients`,
      figure: `${own.toFixed(0)} per second${docker ? `, Docker ${docker.toFixed(0)}: ${(own / docker).toFixed(1)}×` : ""}`,
      ...(docker && { bar: `at least ${bar}×`, holds: own / docker >= bar }),
    },
  ];
}
