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
import { dns } from "./cases/dns.ts";
import { images } from "./cases/images.ts";
import { launch } from "./cases/launch.ts";
import { manyImages } from "./cases/many-images.ts";
import { memory } from "./cases/memory.ts";
import { overhead } from "./cases/overhead.ts";
import { pull } from "./cases/pull.ts";
import { push } from "./cases/push.ts";
import { registry } from "./cases/registry.ts";
import { requests } from "./cases/requests.ts";
import { run } from "./cases/run.ts";
import { saveAndLoad } from "./cases/save-load.ts";
import { squash } from "./cases/squash.ts";
import { startUp } from "./cases/start-up.ts";
import { volumeBackup } from "./cases/volume-backup.ts";
import { volumeList } from "./cases/volume-list.ts";
import { describeMachine } from "./machine.ts";
import { command, startPeers } from "./peers.ts";
import { type Finding, renderFindings } from "./report.ts";
import { prepareStage, type Stage } from "./stage.ts";
import { startSubject } from "./subject.ts";

const cases: Readonly<Record<string, (stage: Stage) => Promise<readonly Finding[]>>> = {
  run,
  overhead,
  launch,
  requests,
  "start-up": startUp,
  dns,
  memory,
  images,
  pull,
  push,
  "save-load": saveAndLoad,
  registry,
  "many-images": manyImages,
  "volume-list": volumeList,
  "volume-backup": volumeBackup,
  squash,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "30" } },
});
const rounds = Number(values.rounds);
const unknown = positionals.filter((name) => !(name in cases));
if (!Number.isInteger(rounds) || rounds < 1 || unknown.length > 0) {
  console.error(`usage: npm run bench -- [--rounds N] [${Object.keys(cases).join("|")}]...`);
  process.exit(2);
}
if (!existsSync(join(import.meta.dir, "../dist/thimble"))) {
  console.error("dist/thimble is missing: npm run build");
  process.exit(1);
}

await using subject = await startSubject();
const started = await startPeers();
const peers = "missing" in started ? undefined : started;
if ("missing" in started) console.error(`without peers: ${started.missing}`);
await using scope = new AsyncDisposableStack();
if (peers) scope.use(peers);
const stage = scope.use(await prepareStage({ subject, peers, rounds }));

const findings: Finding[] = [];
for (const [name, measure] of Object.entries(cases)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.error(`measuring: ${name}`);
  findings.push(...(await measure(stage)));
}

const versions = await stage.versions();
const report = renderFindings({ findings, machine: describeMachine(), versions, rounds });
console.log(report);
const commit = await command(["git", "rev-parse", "--short", "HEAD"]).catch(() => "unknown");
const results = join(import.meta.dir, "results");
await mkdir(results, { recursive: true });
const day = new Date().toISOString().slice(0, 10);
await writeFile(join(results, `${day}-${commit}.md`), report);
