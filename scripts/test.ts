/**
 * Everything that must hold: the check, whose steps need no root and run side by side,
 * then the suites that need root, two at a time, since each waits more than it works, and the
 * soak by itself. Ends with what failed and why, once more, and one line, `N passed, N failed, N skipped`.
 *
 *   npm test                     all of it
 *   npm test -- integration e2e  only these suites
 *   npm run check                the check alone
 *   npm run test:long            the tests that try many inputs, with 10 to 100 times as many
 *
 * A test that cannot run on this machine says in its name what it needs, as
 * "[needs qemu]"; a skip that names nothing of the list below is a failure.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defined } from "../src/base/defined.ts";
import { type Failure, failedTests, lastLines } from "./failures.ts";
import { openMemoryDirectory } from "./memory-directory.ts";
import { slowFiles } from "./slow-files.ts";

const root = join(import.meta.dir, "..");
const bun = process.execPath;
const bin = (name: string) => join(root, "node_modules/.bin", name);

/** The things that a machine may lack without failing the run. */
const excusable = [
  "docker CLI",
  "docker-buildx",
  "docker-registry",
  "firewalld",
  "groff",
  "iptables",
  "mkfs.btrfs",
  "mkfs.xfs",
  "project quotas",
  "nft",
  "qemu",
  "root",
  "skopeo",
  "strace",
  "systemd",
  "ufw",
  "umoci",
  "x86-64",
  "a clone that others can read",
  "a peer dockerd",
];

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** Count the tests that bun reports; otherwise the command is one pass or one failure. */
  readonly counts: boolean;
  /** Milliseconds that the tests of one file should take at most; those above are told, not failed, when nothing else runs. */
  readonly quick?: number;
}

const check = (name: string, ...command: string[]): Step => ({ name, command, counts: false });
/**
 * Every engine asks all plugins that are in this directory for their volumes, so that those of one suite would
 * be in the lists of another: each has it for itself.
 */
const withOwnPlugins =
  process.getuid?.() === 0
    ? [
        ...["unshare", "--mount", "sh", "-c"],
        'mkdir -p /run/docker/plugins && mount -t tmpfs tmpfs /run/docker/plugins && exec "$@"',
        "sh",
      ]
    : [];
const suite = (name: string, path: string, timeout: number): Step => ({
  name,
  command: [...withOwnPlugins, bun, "test", "--timeout", String(timeout), path],
  counts: true,
});

/** One more than there are processors: tests wait for files, sockets and workers too. */
const unitRunners = availableParallelism() + 1;

/** The slowest ones first, since they run side by side. */
const checks: readonly Step[] = [
  {
    name: "unit",
    command: [
      ...[bun, "test", `--parallel=${unitRunners}`, "--no-isolate"],
      ...["--timeout", "60000", "./src"],
    ],
    counts: true,
    quick: 1_000,
  },
  // More checkers check much of the same once more; its garbage collector may wait.
  check(
    "types",
    "env",
    "GOGC=400",
    bun,
    join(root, "node_modules/typescript-7/bin/tsc"),
    "--checkers",
    "1",
  ),
  check("lint", bin("biome"), "check", "--error-on-warnings", "."),
  check("native", "make", "-s", "-C", "native", "test"),
  check("dead code", bun, "--bun", bin("knip"), "--cache"),
];

/** The longest ones first. */
const suites: readonly Step[] = [
  suite("integration", "./test/integration", 600_000),
  suite("e2e", "./test/e2e", 300_000),
  suite("conformance", "./test/conformance", 300_000),
  suite("crash", "./test/crash", 300_000),
  suite("vm", "./test/vm", 900_000),
];

/** Takes what the machine has, and asks how soon others are served. */
const soak = suite("soak", "./test/soak", 900_000);

/** The files that ask `rounds` of src/base/testing.ts how much to try, told to try much. */
const manyInputs = `THIMBLE_TEST_LONG=1 exec "$0" test --timeout 3600000 $(grep -rl "rounds(" --include="*.test.ts" ./src ./test)`;

const soaks: readonly Step[] = [
  { name: "many inputs", command: ["sh", "-c", manyInputs, bun], counts: true },
  check("native fuzz", "make", "-s", "-C", "native", "fuzz"),
];

const names = ["check", "long", ...[...checks, ...suites, soak].map((step) => step.name)];
const chosen = process.argv.slice(2);
for (const name of chosen) {
  if (names.includes(name)) continue;
  console.error(`no suite is named ${name}; there are: ${names.join(", ")}`);
  process.exit(2);
}
const wanted = (step: Step) => chosen.length === 0 || chosen.includes(step.name);

const total = { passed: 0, failed: 0, skipped: 0 };
const failures: Failure[] = [];

/** Where the unit tests have their temporary files, so that they do not wait for a disk. */
using memory = openMemoryDirectory();
await carryOut(chosen.includes("check") ? checks : checks.filter(wanted), availableParallelism());
await carryOut(suites.filter(wanted), 2);
await carryOut([soak].filter(wanted), 1);
if (chosen.includes("long")) await carryOut(soaks, 1);

for (const { title } of failures) console.log(`FAILED ${title}`);
for (const { title, output } of failures) {
  if (output !== "") console.log(`\n-- ${title}\n${output}`);
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;

/** Runs and counts steps, so many at a time. The lines of those that run side by side begin with their names. */
async function carryOut(steps: readonly Step[], width: number): Promise<void> {
  const waiting = [...steps];
  const isAlone = steps.length === 1 || width === 1;
  const take = async () => {
    for (let step = waiting.shift(); step; step = waiting.shift()) {
      const begun = performance.now();
      const { name, quick } = step;
      const prefix = isAlone ? "" : `${name}: `;
      console.log(`${prefix}== ${name}`);
      const { status, output } = await run(step, prefix);
      if (step.counts) tally(name, status, output);
      else if (status === 0) total.passed++;
      else fail(name, lastLines(output));
      for (const { file, took } of isAlone && quick ? slowFiles(output, quick) : [])
        console.log(
          `SLOW ${file}: ${seconds(took)}; a file of unit tests should take less than a second on an idle machine`,
        );
      console.log(`${prefix}-- ${name}: ${seconds(performance.now() - begun)}`);
    }
  };
  await Promise.all(Array.from({ length: width }, take));
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/**
 * Both streams through one pipe, so that a failure keeps the order of its lines, which are shown as
 * they come, each after `prefix`.
 */
async function run(
  { command, quick }: Step,
  prefix: string,
): Promise<{ status: number; output: string }> {
  const child = Bun.spawn(["sh", "-c", 'exec "$@" 2>&1', "sh", ...command], {
    cwd: root,
    env: { ...process.env, ...(quick !== undefined && quickTests()) },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const show = (lines: string) => process.stdout.write(lines.replace(/^(?!$)/gm, prefix));
  let output = "";
  let shown = 0;
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    const end = output.lastIndexOf("\n") + 1;
    show(output.slice(shown, end));
    shown = end;
  }
  show(output.slice(shown));
  return { status: await child.exited, output };
}

/** The last stage of the compiler costs tests that are this short more than it gives them. */
function quickTests(): Record<string, string> {
  return { BUN_JSC_useFTLJIT: "0", ...defined({ TMPDIR: memory.path }) };
}

function fail(title: string, output = ""): void {
  total.failed++;
  failures.push({ title, output });
}

function tally(name: string, status: number, output: string): void {
  const count = (word: string) =>
    Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0);
  const failed = failedTests(output);
  const skipped = [...output.matchAll(/^\(skip\) (.+)$/gm)].map((match) => match[1] ?? "");
  const unexcused = skipped.filter(
    (title) => !excusable.some((need) => title.includes(`[needs ${need}]`)),
  );
  total.passed += count("pass");
  total.skipped += skipped.length - unexcused.length;
  for (const { title, output: why } of failed) fail(`${name}: ${title}`, why);
  for (const title of unexcused) fail(`${name}: skipped without an accepted reason: ${title}`);
  const silent = status !== 0 && failed.length === 0;
  if (silent) fail(`${name}: the runner itself failed (status ${status})`, lastLines(output));
  if (status === 0 && count("pass") === 0 && skipped.length === 0) fail(`${name}: ran no test`);
}
