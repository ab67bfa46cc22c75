/**
 * Everything that must hold, in the order in which it fails fastest: the check, then
 * the suites that need root. Ends with what failed and why, once more, and one line,
 * `N passed, N failed, N skipped`.
 *
 *   npm test                     all of it
 *   npm test -- integration e2e  only these suites
 *
 * A test that cannot run on this machine says in its name what it needs, as
 * "[needs qemu]"; a skip that names nothing of the list below is a failure.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Failure, failedTests, lastLines } from "./failures.ts";

const root = join(import.meta.dir, "..");
const bun = process.execPath;
const bin = (name: string) => join(root, "node_modules/.bin", name);

/** What a machine may lack without failing the run. */
const excusable = [
  "docker CLI",
  "docker-registry",
  "qemu",
  "root",
  "skopeo",
  "umoci",
  "x86-64",
  "a clone that others can read",
];

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** Count the tests that bun reports; otherwise the command is one pass or one failure. */
  readonly counts: boolean;
}

const check = (name: string, ...command: string[]): Step => ({ name, command, counts: false });
const suite = (name: string, path: string, timeout: number): Step => ({
  name,
  command: [bun, "test", "--timeout", String(timeout), path],
  counts: true,
});

const steps: readonly Step[] = [
  check("types", bin("tsc")),
  check("lint", bin("biome"), "check", "--error-on-warnings", "."),
  check("dependency rules", bin("depcruise"), "--config", "dependency-rules.cjs", "src"),
  check("dead code", bin("knip")),
  check("native", "make", "-s", "-C", "native", "test"),
  suite("unit", "./src", 10_000),
  suite("integration", "./test/integration", 120_000),
  suite("crash", "./test/crash", 120_000),
  suite("conformance", "./test/conformance", 120_000),
  suite("e2e", "./test/e2e", 300_000),
  suite("vm", "./test/vm", 600_000),
];

const chosen = process.argv.slice(2);
for (const name of chosen) {
  if (steps.some((step) => step.name === name)) continue;
  console.error(
    `no suite is named ${name}; there are: ${steps.map((step) => step.name).join(", ")}`,
  );
  process.exit(2);
}

const total = { passed: 0, failed: 0, skipped: 0 };
const failures: Failure[] = [];
for (const step of steps) {
  if (chosen.length > 0 && !chosen.includes(step.name)) continue;
  const folder = step.command.at(-1) ?? "";
  if (step.counts && !existsSync(join(root, folder))) continue;
  const begun = performance.now();
  console.log(`\n== ${step.name}`);
  const { status, output } = await run(step.command);
  if (step.counts) tally(step.name, status, output);
  else if (status === 0) total.passed++;
  else fail(step.name, lastLines(output));
  console.log(`-- ${step.name}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}
for (const { title } of failures) console.log(`FAILED ${title}`);
for (const { title, output } of failures) {
  if (output !== "") console.log(`\n-- ${title}\n${output}`);
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;

/** Both streams through one pipe, so that a failure keeps the order of its lines. */
async function run(command: readonly string[]): Promise<{ status: number; output: string }> {
  const child = Bun.spawn(["sh", "-c", 'exec "$@" 2>&1', "sh", ...command], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  let output = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    process.stdout.write(chunk);
  }
  return { status: await child.exited, output };
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
