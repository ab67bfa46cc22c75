import { closeSync, constants, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { connectApi } from "../engine-api.ts";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { type Contender, interleave, quantile } from "../statistics.ts";

/** Bytes of the log's text, in lines of 100. */
const size = 1_000_000_000;
const line = "x".repeat(99);
const name = "bench-logs";
const writer = `/bin/busybox yes ${line} | /bin/busybox head -c ${size}`;

/** The output of a container: attached, as a log of 1 GB, its last lines, and as it is followed. All but the last by the docker CLI. */
export async function logs({ subject, peers, image, rounds }: Stage): Promise<Finding[]> {
  const hosts = [
    { name: "thimble", host: subject.host },
    ...(peers ? [{ name: "docker", host: peers.dockerHost }] : []),
  ];
  const few = Math.min(rounds, 3);
  const log = ["--name", name, "--log-driver", "json-file", "--log-opt", "max-size=1p"];
  const contenders = (
    verb: readonly string[],
    before?: (host: string) => Promise<void>,
  ): Contender[] =>
    hosts.map(({ name: engine, host }) => ({
      name: engine,
      ...(before && { before: () => before(host) }),
      run: async () => {
        const argv = ["docker", "-H", host, ...verb];
        await command(["sh", "-c", 'exec "$@" > /dev/null', "sh", ...argv]);
      },
    }));
  const removed = async (host: string) => {
    await command(["docker", "-H", host, "rm", "-f", name]).catch(() => undefined);
  };
  const bars = (factor: number) => (peers ? { bars: [{ against: "docker", factor }] } : {});
  const attached = contenders(["run", ...log, image, "/bin/sh", "-c", writer], removed);
  const written = await interleave(attached, few, 0);
  const whole = await interleave(contenders(["logs", name]), few, 0);
  const tail = await interleave(
    hosts.map(({ name: engine, host }) => ({ name: engine, run: () => lastLines(host) })),
    rounds,
  );
  await Promise.all(hosts.map(({ host }) => removed(host)));
  const late = quantile(await followed(subject.host, image), 0.99);
  return [
    { kind: "timed", title: "run, 1 GB of attached output", samples: written, ...bars(1.5) },
    { kind: "timed", title: "logs of 1 GB", samples: whole, ...bars(3) },
    { kind: "timed", title: "API: the last 10 lines of them", samples: tail, atMost: 20 },
    {
      kind: "figure",
      title: "logs --follow: from the write to the client, 99 of 100 lines",
      figure: `${late.toFixed(1)} ms`,
      bar: "at most 10 ms",
      holds: late <= 10,
    },
  ];
}

async function lastLines(host: string): Promise<void> {
  const response = await get(host, `/containers/${name}/logs?stdout=1&tail=10`);
  const { byteLength } = await response.arrayBuffer();
  if (byteLength !== 10 * 108) throw new Error(`${byteLength} bytes are no 10 lines`);
}

const get = (host: string, path: string) =>
  fetch(`http://engine/v1.44${path}`, { unix: host.replace("unix://", "") });

/** Milliseconds until lines that a container writes one by one come to a client. */
async function followed(host: string, image: string): Promise<number[]> {
  const directory = await mkdtemp("/var/tmp/thimble-follow-");
  const path = join(directory, "pipe");
  await command(["mkfifo", path]);
  // Both ends, so that opening waits for nobody.
  const pipe = openSync(path, constants.O_RDWR);
  const api = connectApi(host);
  const id = await api.create(image, ["/bin/busybox", "cat", "/bench/pipe"], {
    HostConfig: { Binds: [`${directory}:/bench`] },
  });
  try {
    await api.start(id);
    const response = await get(host, `/containers/${id}/logs?stdout=1&follow=1`);
    const times: number[] = [];
    const write = () => writeSync(pipe, `${performance.now()}\n`);
    const timer = setInterval(write, 13);
    for await (const chunk of response.body ?? []) {
      const now = performance.now();
      const texts = Buffer.from(chunk)
        .toString("latin1")
        .matchAll(/([\d.]+)\n/g);
      for (const [, text] of texts) times.push(now - Number(text));
      if (times.length >= 500) break;
    }
    clearInterval(timer);
    return times;
  } finally {
    closeSync(pipe);
    await api.remove(id);
    await rm(directory, { recursive: true });
  }
}
