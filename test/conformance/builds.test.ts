import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inParallel } from "#base";
import { makeArchiveContext, makeBuildContext } from "../support/build-context.ts";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { readSavedImage, type SavedImage } from "../support/saved-image.ts";

/**
 * Dockerfiles of testdata/builds/cases.txt, built by the docker CLI: files and configurations are
 * those that BuildKit of Docker 28.5 makes. `UPDATE=1 DOCKER_HOST=... bun test` records them.
 */

interface Case {
  readonly name: string;
  readonly text: string;
  readonly flags: readonly string[];
  readonly ignored: string;
  /** Which files it has: "" for those that most cases have. */
  readonly context: string;
  /** Whether it is only compared that both fail, since the errors have other words. */
  readonly hasOwnWords: boolean;
}

interface Result {
  /** Why it failed. */
  readonly error?: string;
  /** Files that the base does not have the same, one line each. */
  readonly files?: readonly string[];
  readonly removed?: readonly string[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly author?: string;
  readonly history?: readonly string[];
}

const data = join(import.meta.dir, "testdata/builds");
const recordedPath = join(data, "buildkit.json");
const cases = readFileSync(join(data, "cases.txt"), "utf8").split(/^=== /m).slice(1).map(parseCase);
const isRecording = process.env.UPDATE === "1";
const recorded = JSON.parse(readFileSync(recordedPath, "utf8")) as Record<string, Result>;

function parseCase(part: string): Case {
  const [name = "", ...lines] = part.split("\n");
  const settings = lines.flatMap((line) => /^@(\S+) (.*)$/.exec(line)?.slice(1) ?? []);
  const flags: string[] = [];
  const ignored: string[] = [];
  let context = "";
  let hasOwnWords = false;
  for (let at = 0; at < settings.length; at += 2) {
    const [kind = "", value = ""] = settings.slice(at, at + 2);
    if (kind === "ignore") ignored.push(value);
    else if (kind === "context") context = value;
    else if (kind === "words") hasOwnWords = value === "own";
    else flags.push(`--${kind}=${value}`);
  }
  const text = lines.filter((line) => !/^@\S+ /.test(line)).join("\n");
  return { name, text, flags, ignored: ignored.join("\n"), context, hasOwnWords };
}

let target: DockerTarget;
let base: SavedImage;

async function saved(name: string): Promise<SavedImage> {
  const { stdout } = await target.docker(["save", name]);
  return await readSavedImage(Buffer.from(stdout, "latin1"));
}

beforeAll(async () => {
  if (!isRoot || !dockerPath) return;
  target = await openDockerTarget();
  await target.ok(["tag", image, "base"]);
  base = await saved("base");
  makeBuildContext(contextOf(""));
  makeArchiveContext(contextOf("archives"));
});

afterAll(async () => {
  if (!target) return;
  if (!target.ours)
    await target.docker(["rmi", "-f", "base", ...cases.map(({ name }) => tagOf(name))]);
  await target[Symbol.asyncDispose]();
});

const tagOf = (name: string) => `conf-build-${name}`;

function contextOf(name: string): string {
  const path = join(target.directory, name === "" ? "context" : `context-${name}`);
  mkdirSync(path, { recursive: true });
  return path;
}

async function build({ name, text, flags, ignored, context: kind }: Case): Promise<Result> {
  const file = join(target.directory, `${name}.Dockerfile`);
  const context = contextOf(ignored === "" ? kind : name);
  if (ignored !== "") {
    makeBuildContext(context);
    writeFileSync(join(context, ".dockerignore"), ignored);
  }
  writeFileSync(file, text);
  const tag = tagOf(name);
  // The builder of our engine is the same whichever way it is asked.
  const env = { DOCKER_BUILDKIT: target.ours ? "0" : "1" };
  const args = ["build", "-q", "--no-cache", "-t", tag, "-f", file, ...flags, context];
  const { status, stderr } = await target.docker(args, { env });
  if (status !== 0) return { error: errorOf(stderr) };
  return resultOf(await saved(tag));
}

/** What both kinds of answers have in common: the words of the cause. */
function errorOf(stderr: string): string {
  const [line = ""] = stderr.trim().split("\n").slice(-1);
  const failed = /^The command '([\s\S]*)' returned a non-zero code: (\d+)$/m.exec(stderr.trim());
  if (failed)
    return `process "${failed[1]?.replaceAll("\n", "\\n")}" did not complete successfully: exit code: ${failed[2]}`;
  return line
    .replace(/^(?:ERROR: failed to build: failed to solve|Error response from daemon): /, "")
    .replace(/^process .*(?=unable to find user )/, "")
    .replace(/(not found); .*$/, "$1")
    .replace(/^.*(?=process ")/, "")
    .replace(/^.*(?=(?:mkdir |cannot copy |lstat |invalid user))/, "")
    .replace(/^.*checksum of ref [^:]*(?:::[^:]*)?: /, "")
    .replace(/ \/\S*\/(?:merged|mount|root)\//, " /");
}

function resultOf({ files, config }: SavedImage): Result {
  const own = [...files].filter(
    ([path, line]) => base.files.get(path) !== line && !path.endsWith(".dockerignore"),
  );
  const removed = [...base.files.keys()].filter((path) => !files.has(path));
  const history = (config.history ?? []).map(({ created_by = "", empty_layer = false }) => {
    // Here a step that changed nothing has no layer.
    const isSetting = empty_layer && !/^(?:RUN |COPY |ADD |WORKDIR \/.)/.test(created_by);
    return `${isSetting ? "-" : "+"} ${created_by}`;
  });
  return {
    files: own.map(([path, line]) => `${path}: ${line}`).toSorted(),
    ...(removed.length > 0 && removed.length < 50 ? { removed: removed.toSorted() } : {}),
    config: config.config ?? {},
    ...(config.author === undefined ? {} : { author: config.author }),
    history: history.filter((line) => !/Imported from|^[-+] *$|^\+ undefined$/.test(line)),
  };
}

const undated = (line: string) => line.replace(/(:\d+) (?:\d{4}-\d\d-\d\d|-)( |$)/, "$1 -$2");

/** Without times that are not to be compared: of what was made by the build itself, there or here. */
function comparable(
  lines: readonly string[] | undefined,
  { wanted, isIgnoring }: { wanted: readonly string[] | undefined; isIgnoring: boolean },
): readonly string[] | undefined {
  const pathOf = (line: string) => line.slice(0, line.indexOf(": "));
  const unset = new Set(wanted?.filter((line) => / -(?: |$)/.test(line)).map(pathOf));
  return lines?.map((line) => {
    // The docker CLI does not send a directory that is left out, only what is kept in it.
    const isImplied = isIgnoring && /: directory /.test(line);
    return isImplied || unset.has(pathOf(line)) ? undated(line) : line;
  });
}

/** More at a time would not be faster on two cores. */
const lanes = 4;

if (isRecording) {
  test("records what the reference makes of cases that have no record", async () => {
    const results = new Map(Object.entries(recorded));
    const missing = cases.filter(({ name }) => !results.has(name));
    await inParallel(missing, lanes, async (each) => {
      results.set(each.name, await build(each));
      // One that is interrupted goes on here the next time.
      const known = cases.flatMap(({ name }) => {
        const result = results.get(name);
        return result === undefined ? [] : [[name, result]];
      });
      writeFileSync(recordedPath, `${JSON.stringify(Object.fromEntries(known), undefined, 1)}\n`);
    });
  }, 3_600_000);
} else {
  describe.skipIf(!isRoot || !dockerPath)("a build is as BuildKit's", () => {
    const made = new Map<string, Result>();
    beforeAll(async () => {
      await inParallel(cases, lanes, async (each) => void made.set(each.name, await build(each)));
    });

    test.each(cases)("of $name", ({ name, ignored, hasOwnWords }) => {
      const record = recorded[name] ?? {};
      const rules = { wanted: record.files, isIgnoring: ignored !== "" };
      const shown = (result: Result | undefined) => ({
        ...result,
        ...(result?.error !== undefined && hasOwnWords && { error: "in other words" }),
        ...(result?.files && { files: comparable(result.files, rules) }),
      });
      expect(shown(made.get(name))).toEqual(shown(record));
    });
  });
}
