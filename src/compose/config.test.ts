import { describe, expect, test } from "bun:test";
import { posix } from "node:path";
import { isFault } from "#base";
import {
  environmentLines,
  imageNames,
  type ModelOptions,
  modelVariables,
  type ProjectRequest,
  printConfig,
  printVariables,
  profileNames,
  serviceHashes,
  serviceNames,
  volumeNames,
} from "./index.ts";
import { memoryFiles, type RecordedCase, recordedCases, recordedRoot } from "./testing.ts";

interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: readonly string[];
}

const repeated: Record<string, string> = {
  "-f": "paths",
  "--env-file": "envFiles",
  "--profile": "profiles",
};
const single: Record<string, string> = {
  "-p": "name",
  "--project-directory": "directory",
  "--format": "format",
  "--hash": "hash",
  "-o": "output",
};

/** What a call of docker compose asks for. */
function parseCall(args: readonly string[]) {
  const lists: Record<string, string[]> = { paths: [], envFiles: [], profiles: [], services: [] };
  const values: Record<string, string> = {};
  const flags = new Set<string>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (repeated[arg] !== undefined) lists[repeated[arg]]?.push(args[++i] as string);
    else if (single[arg] !== undefined) values[single[arg]] = args[++i] as string;
    else if (arg.startsWith("-")) flags.add(arg);
    else if (arg !== "config") lists.services?.push(arg);
  }
  return { lists, values, flags };
}

function call(one: RecordedCase, args: readonly string[]): Answer {
  const warnings: string[] = [];
  try {
    return { status: 0, stdout: answer(one, args, warnings), stderr: warnings };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { status: 1, stdout: "", stderr: [...warnings, ...error.message.split("\n")] };
  }
}

function answer(one: RecordedCase, args: readonly string[], warnings: string[]): string {
  const { lists, values, flags } = parseCall(args);
  const { paths = [], envFiles = [], profiles = [], services = [] } = lists;
  const request: ProjectRequest = {
    files: memoryFiles(one.files),
    cwd: posix.join(recordedRoot, one.directory),
    env: { HOME: "/root", PATH: "/usr/bin:/bin", ...one.env },
    paths,
    envFiles,
    profiles,
    stdin: () => one.stdin,
    ...(values.directory === undefined ? {} : { directory: values.directory }),
    ...(values.name === undefined ? {} : { name: values.name }),
    warn: (message) => warnings.push(`time="T" level=warning msg=${JSON.stringify(message)}`),
  };
  const options: ModelOptions = {
    isInterpolated: !flags.has("--no-interpolate"),
    isNormalized: !flags.has("--no-normalize"),
    isConsistent: !flags.has("--no-consistency"),
    resolvesPaths: !flags.has("--no-path-resolution"),
  };
  const lines = (all: readonly string[]) => all.map((line) => `${line}\n`).join("");
  if (flags.has("--services")) return lines(serviceNames(request, options));
  if (flags.has("--volumes")) return lines(volumeNames(request, options));
  if (values.hash !== undefined) {
    return lines(serviceHashes(request, options, values.hash).map((pair) => pair.join(" ")));
  }
  if (flags.has("--profiles")) return lines(profileNames(request, options, services));
  if (flags.has("--images")) return lines(imageNames(request, options, services));
  if (flags.has("--environment")) return lines(environmentLines(request, options, services));
  if (flags.has("--variables")) {
    const variables = modelVariables(request, options);
    if (values.format !== undefined) return printVariables(variables, values.format as "json");
    const row = (cells: (string | boolean)[]) =>
      cells.map((cell) => String(cell).padEnd(20)).join("");
    return lines([
      row(["NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"]),
      ...variables.map((v) => row([v.name, v.required, v.defaultValue, v.presenceValue])),
    ]);
  }
  const text = printConfig(request, options, services, values.format ?? "yaml");
  return flags.has("-q") || values.output !== undefined ? "" : text;
}

/** docker compose walks maps of Go, so that some lines come in another order each time. */
const unordered = /--(images|variables|volumes|services|environment)/;
const sorted = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trimEnd().replace(/ +/g, " "))
    .sort();

function check(found: Answer, run: RecordedCase["runs"][number]): void {
  expect({
    status: found.status,
    ...(found.status && !run.status && { why: found.stderr }),
  }).toEqual({
    status: run.status,
  });
  const isUnordered = unordered.test(run.args.join(" "));
  if (isUnordered) expect(sorted(found.stdout)).toEqual(sorted(run.stdout));
  else expect(found.stdout).toBe(run.stdout);
  const first = run.stderr.filter((line) => !line.startsWith("time="));
  const mine = found.stderr.filter((line) => !line.startsWith("time="));
  expect(mine.slice(0, first.length)).toEqual(first);
  const warnings = (lines: readonly string[]) =>
    [...new Set(lines.filter((line) => line.startsWith("time=")))].sort();
  if (run.status === 0) expect(warnings(found.stderr)).toEqual(warnings(run.stderr));
}

const topics = Map.groupBy(recordedCases(), (one) => one.topic);
for (const [topic, cases] of topics) {
  describe(`config prints what docker compose prints: ${topic}`, () => {
    for (const one of cases) {
      test(one.name, () => {
        expect(one.runs.length).toBeGreaterThan(0);
        for (const run of one.runs) check(call(one, run.args), run);
      });
    }
  });
}
