/**
 * thimble beside Docker, containerd, Podman and crun: the same images, the same commands,
 * in turns, in one run. Prints the table and writes it to bench/results/.
 *
 *   npm run bench                    all of it (root; build first; see bench/README.md)
 *   npm run bench -- --rounds 50     more rounds than 30
 *   npm run bench -- run launch      only these cases
 */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { attach } from "./cases/attach.ts";
import { build } from "./cases/build.ts";
import { compose } from "./cases/compose.ts";
import { dns } from "./cases/dns.ts";
import { images } from "./cases/images.ts";
import { launch } from "./cases/launch.ts";
import { logs } from "./cases/logs.ts";
import { manyContainers } from "./cases/many-containers.ts";
import { manyImages } from "./cases/many-images.ts";
import { memory } from "./cases/memory.ts";
import { overhead } from "./cases/overhead.ts";
import { publish } from "./cases/publish.ts";
import { pull } from "./cases/pull.ts";
import { push } from "./cases/push.ts";
import { registry } from "./cases/registry.ts";
import { requests } from "./cases/requests.ts";
import { run } from "./cases/run.ts";
import { runningCrowd } from "./cases/running-crowd.ts";
import { saveAndLoad } from "./cases/save-load.ts";
import { squash } from "./cases/squash.ts";
import { startUp } from "./cases/start-up.ts";
import { connect, throughput } from "./cases/traffic.ts";
import { volumeBackup } from "./cases/volume-backup.ts";
import { volumeClone } from "./cases/volume-clone.ts";
import { volumeList } from "./cases/volume-list.ts";
import { type EngineHosts, openHosts } from "./engine-hosts.ts";
import { describeMachine } from "./machine.ts";
import { command, startPeers } from "./peers.ts";
import { type Finding, renderFindings } from "./report.ts";
import { prepareStage, type Stage } from "./stage.ts";
import { startSubject } from "./subject.ts";

/** What cases run in. */
interface Place extends AsyncDisposable {
  readonly rounds: number;
  versions(): Promise<readonly string[]>;
}

type Cases<P extends Place> = Readonly<Record<string, (place: P) => Promise<readonly Finding[]>>>;

/** With all engines on this machine. */
const machineCases: Cases<Stage> = {
  run,
  overhead,
  launch,
  requests,
  compose,
  "start-up": startUp,
  dns,
  memory,
  images,
  pull,
  push,
  "save-load": saveAndLoad,
  registry,
  "many-images": manyImages,
  "many-containers": manyContainers,
  logs,
  "running-crowd": runningCrowd,
  "volume-list": volumeList,
  "volume-backup": volumeBackup,
  squash,
  build,
};

/** With thimble and Docker on hosts of their own, as network namespaces. */
const hostCases: Cases<EngineHosts> = { attach, throughput, connect, publish };

/** With an engine that the case starts itself, and no peer. */
const ownCases: Cases<Place> = { "volume-clone": volumeClone };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "30" } },
});
const rounds = Number(values.rounds);
const names = [machineCases, hostCases, ownCases].flatMap((cases) => Object.keys(cases));
const unknown = positionals.filter((name) => !names.includes(name));
if (!Number.isInteger(rounds) || rounds < 1 || unknown.length > 0) {
  console.error(`usage: npm run bench -- [--rounds N] [${names.join("|")}]...`);
  process.exit(2);
}
if (!existsSync(join(import.meta.dir, "../dist/thimble"))) {
  console.error("dist/thimble is missing: npm run build");
  process.exit(1);
}

const findings: Finding[] = [];
const versions = new Set<string>();

await measure(hostCases, () => openHosts(rounds));
await measure(ownCases, async () => ({
  rounds,
  versions: async () => [],
  [Symbol.asyncDispose]: async () => undefined,
}));
await measure(machineCases, openStage);

const report = renderFindings({
  findings,
  machine: describeMachine(),
  versions: [...versions],
  rounds,
});
console.log(report);
const commit = await command(["git", "rev-parse", "--short", "HEAD"]).catch(() => "unknown");
const results = join(import.meta.dir, "results");
await mkdir(results, { recursive: true });
const day = new Date().toISOString().slice(0, 10);
await writeFile(join(results, `${day}-${commit}.md`), report);

/** Measures those of the cases that were asked for; without any no place is opened. */
async function measure<P extends Place>(cases: Cases<P>, open: () => Promise<P>): Promise<void> {
  const asked = Object.entries(cases).filter(
    ([name]) => positionals.length === 0 || positionals.includes(name),
  );
  if (asked.length === 0) return;
  const place = await open();
  let clearing: Promise<void> | undefined;
  const clear = () => {
    clearing ??= Promise.resolve(place[Symbol.asyncDispose]());
    return clearing;
  };
  await using _ = { [Symbol.asyncDispose]: clear };
  // Else engines and their hosts would go on.
  for (const signal of ["SIGINT", "SIGTERM"])
    process.once(signal, () => void clear().finally(() => process.exit(1)));
  for (const version of await place.versions()) versions.add(version);
  for (const [name, measureCase] of asked) {
    console.error(`measuring: ${name}`);
    findings.push(...(await measureCase(place)));
  }
}

async function openStage(): Promise<Stage> {
  await using scope = new AsyncDisposableStack();
  const subject = scope.use(await startSubject());
  const started = await startPeers();
  const peers = "missing" in started ? undefined : scope.use(started);
  if ("missing" in started) console.error(`without peers: ${started.missing}`);
  const stage = scope.use(await prepareStage({ subject, peers, rounds }));
  const opened = scope.move();
  return { ...stage, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
