import type { EngineHosts } from "../engine-hosts.ts";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import { interleave, median } from "../statistics.ts";

const limit = 2;

/** `run --rm true` from the command line, with a published port and without. */
export async function publish({ all, image, rounds }: EngineHosts): Promise<Finding[]> {
  const lines = all.flatMap(({ name, argv }) => [
    { name, argv: argv("run", "--rm", image, "/bin/true") },
    { name: `${name}, -p`, argv: argv("run", "--rm", "-p", "18080:80", image, "/bin/true") },
  ]);
  const samples = await interleave(
    lines.map(({ name, argv }) => ({ name, run: async () => void (await command(argv)) })),
    Math.min(rounds, 20),
  );
  const [plain = NaN, published = NaN] = samples.map(median);
  const more = published - plain;
  return [
    { kind: "timed", title: "run --rm true, default network", samples },
    {
      kind: "figure",
      title: "a published port, in addition",
      figure: `${more.toFixed(2)} ms`,
      bar: `at most ${limit} ms`,
      holds: more <= limit,
    },
  ];
}
