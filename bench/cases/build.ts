import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command, type Peers } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave, type Sample } from "../statistics.ts";

/** The command line of a build with one engine, which ends with the id of the image. */
interface Builder {
  readonly name: string;
  build(context: string, ...words: string[]): Promise<void>;
}

const maxMemory = 300;

/** Dockerfiles beside BuildKit of Docker's engine, whole commands: cold, cached, and with little changed. */
export async function build(stage: Stage): Promise<Finding[]> {
  const work = await mkdtemp("/var/tmp/thimble-build-");
  const builders = buildersOf(stage);
  try {
    return [
      await coldSteps(stage, work, builders),
      await cachedSteps(stage, work, builders),
      await nothingChanged(stage, work, builders),
      ...(await manyFiles(stage, work, builders)),
      await parallelStages(stage, work, builders),
      memory(stage),
    ];
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function buildersOf({ subject, peers }: Stage): Builder[] {
  const own: Builder = {
    name: "thimble",
    build: async (context, ...words) =>
      void (await command(subject.argv("build", "-q", ...words, context))),
  };
  return peers ? [own, buildx(peers)] : [own];
}

/** The plugin by itself, so that no start of docker is measured with it. */
function buildx({ tree, dockerHost }: Peers): Builder {
  const program = join(tree, "usr/libexec/docker/cli-plugins/docker-buildx");
  return {
    name: "buildx",
    build: async (context, ...words) => {
      const argv = [program, "build", "-q", ...words, context];
      await command(argv, { DOCKER_HOST: dockerHost, BUILDX_NO_DEFAULT_ATTESTATIONS: "1" });
    },
  };
}

/** Each builder has a context of its own: a client's notes on it are its own too. */
async function contexts(
  work: string,
  name: string,
  builders: readonly Builder[],
  make: (context: string) => Promise<void>,
): Promise<(readonly [Builder, string])[]> {
  const made: (readonly [Builder, string])[] = [];
  for (const builder of builders) {
    const context = join(work, `${name}-${builder.name}`);
    await mkdir(context, { recursive: true });
    await make(context);
    made.push([builder, context]);
  }
  return made;
}

function timed(title: string, samples: readonly Sample[], factor: number): Finding {
  return { kind: "timed", title, samples, bars: [{ against: "buildx", factor }] };
}

async function coldSteps(
  { image, rounds }: Stage,
  work: string,
  builders: readonly Builder[],
): Promise<Finding> {
  const steps = Array.from({ length: 10 }, (_, n) => `COPY f${n} /f${n}\nRUN echo ${n} > /r${n}\n`);
  const made = await contexts(work, "cold", builders, async (context) => {
    await writeFile(join(context, "Dockerfile"), `FROM ${image}\n${steps.join("")}`);
    for (let n = 0; n < 10; n++) await writeFile(join(context, `f${n}`), `file ${n}\n`);
  });
  const samples = await interleave(
    made.map(([{ name, build }, context]) => ({ name, run: () => build(context, "--no-cache") })),
    Math.ceil(rounds / 3),
    1,
  );
  return timed("build: 20 small RUN and COPY steps, without cache", samples, 3);
}

async function cachedSteps(
  { image, rounds }: Stage,
  work: string,
  builders: readonly Builder[],
): Promise<Finding> {
  const steps = Array.from(
    { length: 50 },
    // Of four steps two are layers: Docker's storage takes 125 at most.
    (_, n) => `COPY d${n} /d${n}\nENV E${n}=${n}\nLABEL l${n}=${n}\nWORKDIR /w${n}\n`,
  );
  const made = await contexts(work, "cached", builders, async (context) => {
    await writeFile(join(context, "Dockerfile"), `FROM ${image}\n${steps.join("")}`);
    await writeTree(context, { directories: 50, files: 100, bytes: 100 });
  });
  const samples = await interleave(
    made.map(([{ name, build }, context]) => ({ name, run: () => build(context) })),
    rounds,
    1,
  );
  return timed("build: 200 steps that are cached, 5,000 files", samples, 3);
}

async function nothingChanged(
  { image, rounds }: Stage,
  work: string,
  builders: readonly Builder[],
): Promise<Finding> {
  const made = await contexts(work, "same", builders, async (context) => {
    await writeFile(join(context, "Dockerfile"), `FROM ${image}\nCOPY . /src\nRUN true\n`);
    await writeTree(context, { directories: 10, files: 100, bytes: 1000 });
  });
  const samples = await interleave(
    made.map(([{ name, build }, context]) => ({ name, run: () => build(context) })),
    rounds,
    1,
  );
  return { kind: "timed", title: "build: nothing changed, 1,000 files", samples, atMost: 150 };
}

/** A gigabyte in 20,000 files: copied anew, and with one of them changed. */
async function manyFiles(
  { rounds }: Stage,
  work: string,
  builders: readonly Builder[],
): Promise<Finding[]> {
  const made = await contexts(work, "many", builders, async (context) => {
    await writeFile(join(context, "Dockerfile"), "FROM scratch\nCOPY . /src\n");
    await writeTree(context, { directories: 200, files: 100, bytes: 50_000 });
  });
  const few = Math.min(rounds, 5);
  const copied = await interleave(
    made.map(([{ name, build }, context]) => ({ name, run: () => build(context, "--no-cache") })),
    few,
    1,
  );
  const changed = await interleave(
    made.map(([{ name, build }, context]) => ({
      name,
      before: () => writeFile(join(context, "d7/f7"), randomBytes(50_000)),
      run: () => build(context),
    })),
    few,
    1,
  );
  for (const [, context] of made) await rm(context, { recursive: true });
  return [
    timed("build: COPY of 1 GB in 20,000 files", copied, 1.5),
    timed("build: one changed file of 20,000", changed, 2),
  ];
}

const stageSeconds = 3;

async function parallelStages(
  { image, rounds }: Stage,
  work: string,
  builders: readonly Builder[],
): Promise<Finding> {
  const stages = Array.from(
    { length: 4 },
    (_, n) => `FROM ${image} AS s${n}\nRUN sleep ${stageSeconds}; echo ${n} > /r\n`,
  );
  const copies = stages.map((_, n) => `COPY --from=s${n} /r /r${n}\n`);
  const made = await contexts(work, "stages", builders, async (context) => {
    await writeFile(
      join(context, "Dockerfile"),
      `${stages.join("")}FROM scratch\n${copies.join("")}`,
    );
  });
  const samples = await interleave(
    made.map(([{ name, build }, context]) => ({ name, run: () => build(context, "--no-cache") })),
    Math.min(rounds, 5),
    1,
  );
  const title = `build: 4 independent stages of ${stageSeconds} s each`;
  return { kind: "timed", title, samples, atMost: stageSeconds * 1150 };
}

/** The most that the engine had at once, since its start. */
function memory({ subject }: Stage): Finding {
  const status = readFileSync(`/proc/${subject.pid}/status`, "utf8");
  const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  return {
    kind: "figure",
    title: "build: the engine's peak memory",
    figure: `${peak.toFixed(0)} MiB`,
    bar: `at most ${maxMemory} MiB`,
    holds: peak <= maxMemory,
  };
}

async function writeTree(
  top: string,
  { directories, files, bytes }: { directories: number; files: number; bytes: number },
): Promise<void> {
  for (let d = 0; d < directories; d++) {
    await mkdir(join(top, `d${d}`));
    for (let f = 0; f < files; f++)
      await writeFile(join(top, `d${d}`, `f${f}`), randomBytes(bytes));
  }
}
