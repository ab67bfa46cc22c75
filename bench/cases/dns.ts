import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave, quantile } from "../statistics.ts";

const clients = 16;
const questions = 20_000;
const names = ["web", "db", "cache"].map((name) => `thimble-bench-${name}`);
const asker = "thimble-bench-asker";
const network = "thimble-bench-names";

/** The load generator's own report; times in milliseconds. */
interface Load {
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly lost: number;
  readonly wrong: number;
  readonly ownSeconds: number;
}

/** Sixteen programs of one container that ask 127.0.0.11 for the addresses of three others, as fast as answers come. */
export async function dns(stage: Stage): Promise<Finding[]> {
  const { subject, peers, image, rounds } = stage;
  const work = await mkdtemp("/var/tmp/thimble-bench-dns-");
  await using scope = new AsyncDisposableStack();
  scope.defer(() => rm(work, { recursive: true }));
  const generator = join(work, "dns-load");
  await command(["cc", "-O2", "-o", generator, join(import.meta.dir, "../dns-load.c")]);
  const engines = [
    { name: "thimble", host: subject.host },
    ...(peers ? [{ name: "docker", host: peers.dockerHost }] : []),
  ];
  const contenders = [];
  for (const { name, host } of engines) {
    const pid = await startNamed(host, image, scope);
    const loads: Load[] = [];
    const run = async () => {
      const load = ["127.0.0.11", "53", `${clients}`, `${questions}`, ...names];
      const found = JSON.parse(
        await command(["nsenter", `--net=/proc/${pid}/ns/net`, generator, ...load]),
      ) as Load;
      if (found.wrong > 0) throw new Error(`${name} gave ${found.wrong} answers without address`);
      loads.push(found);
    };
    contenders.push({ name, run, loads });
  }
  const samples = await interleave(contenders, Math.min(rounds, 10), 1);
  return [
    {
      kind: "timed",
      title: `DNS: ${questions} names of containers, ${clients} at once`,
      samples,
      bars: [{ against: "docker", factor: 2 }],
      note: contenders.map(describe).join("; "),
    },
    latency(contenders),
  ];
}

interface Loaded {
  readonly name: string;
  readonly loads: readonly Load[];
}

const median = (loads: readonly Load[], of: (load: Load) => number) => quantile(loads.map(of), 0.5);

function describe({ name, loads }: Loaded): string {
  const rate = median(loads, ({ seconds }) => questions / seconds);
  const busy = median(loads, ({ seconds, ownSeconds }) => ownSeconds / seconds);
  const lost = loads.reduce((sum, load) => sum + load.lost, 0);
  return `${name} ${rate.toFixed(0)} answers/s, ${lost} lost, with the asker busy for ${(busy * 100).toFixed(0)} % of a core`;
}

/** The time until an answer, at full load. */
function latency(all: readonly Loaded[]): Finding {
  const [own = Number.NaN, peer] = all.map(({ loads }) => median(loads, ({ p99 }) => p99));
  const each = all.map(
    ({ name, loads }) =>
      `${name} p50 ${median(loads, ({ p50 }) => p50).toFixed(3)} ms, p99 ${median(loads, ({ p99 }) => p99).toFixed(3)} ms`,
  );
  return {
    kind: "figure",
    title: `DNS: time until an answer, ${clients} at once`,
    figure: each.join("; "),
    bar: "p99 under 1 ms and under Docker's",
    holds: own < 1 && (peer === undefined || own < peer),
  };
}

/** A network with the named containers and the asker in it, until the scope ends; the asker's process. */
async function startNamed(
  host: string,
  image: string,
  scope: AsyncDisposableStack,
): Promise<string> {
  const docker = (...argv: string[]) => command(["docker", "-H", host, ...argv]);
  await docker("network", "create", network);
  scope.defer(async () => void (await docker("network", "rm", network)));
  for (const name of [...names, asker]) {
    await docker("run", "-d", "--network", network, "--name", name, image, "/bin/sleep", "1000");
    scope.defer(async () => void (await docker("rm", "-f", name)));
  }
  return await docker("inspect", "-f", "{{.State.Pid}}", asker);
}
