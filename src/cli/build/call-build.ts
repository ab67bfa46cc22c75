import { isFault } from "#base";
import {
  baseImages,
  checkDockerfile,
  checkJson,
  DockerfileFault,
  excerpt,
  IgnoreMatcher,
  listTargets,
  outline,
  outlineJson,
  parseIgnoreFile,
  targetsJson,
} from "#dockerfile";
import { hostPlatform, parsePlatform } from "#image";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import type { buildFlags } from "../table/build.ts";
import { buildArguments } from "./build-arguments.ts";
import { type BuildFile, readBuildFile } from "./build-file.ts";
import { checkText, outlineText, targetsText } from "./build-report.ts";
import { isRemote } from "./build-source.ts";
import { knownImages } from "./known-images.ts";

interface Call {
  readonly method: "check" | "outline" | "targets";
  readonly isJson: boolean;
  /** What the checks find does not make the exit status 1. */
  readonly ignoresStatus: boolean;
}

/** Looks at a Dockerfile without building it, as --check and --call ask; gives the exit status. */
export async function callBuild(
  context: Context,
  { path, flags, call }: Omit<Work, "file"> & { readonly path: string },
): Promise<number> {
  if (isRemote(path)) {
    throw new Exit(1, `thimble: a context that is a URL cannot be checked: ${path}`);
  }
  const file = await readBuildFile(context, { path, file: flags.file });
  try {
    return await run(context, { call, file, flags });
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    const ranges = error instanceof DockerfileFault ? error.ranges : [];
    const lines = excerpt(file.shownName, file.text, ranges);
    throw new Exit(
      1,
      `ERROR: failed to build: failed to solve: ${error.message}\n${lines}`.trimEnd(),
    );
  }
}

interface Work {
  readonly call: Call;
  readonly file: BuildFile;
  readonly flags: Values<typeof buildFlags>;
}

async function run(context: Context, { call, file, flags }: Work): Promise<number> {
  const asked = requestOf(context, file, flags);
  if (call.method === "targets") {
    const targets = listTargets(file.text);
    await context.out.write(call.isJson ? targetsJson(targets, file) : targetsText(targets));
    return 0;
  }
  const images = await knownImages(context, baseImages(file.text, asked));
  const request = { ...asked, imageOf: (name: string) => images.get(name) };
  if (call.method === "outline") {
    const found = outline(file.text, request);
    await context.out.write(call.isJson ? outlineJson(found, file) : outlineText(found));
    return 0;
  }
  const report = checkDockerfile(file.text, request);
  await context.out.write(call.isJson ? checkJson(report, file) : checkText(report, file));
  const { warnings, failure } = report;
  if (failure) {
    const lines = excerpt(file.shownName, file.text, failure.ranges);
    await context.err.write(`ERROR: ${failure.message}\n${lines}\n`);
  }
  return (warnings.length > 0 || failure) && !call.ignoresStatus ? 1 : 0;
}

function requestOf(context: Context, file: BuildFile, flags: Values<typeof buildFlags>) {
  const ignored = file.ignored === undefined ? [] : parseIgnoreFile(file.ignored);
  const {
    target,
    platform: [platform],
  } = flags;
  return {
    buildArgs: buildArguments(flags["build-arg"], context.env),
    ...(target === undefined ? {} : { target }),
    buildPlatform: hostPlatform(),
    targetPlatform: platform === undefined ? hostPlatform() : parsePlatform(platform),
    ...(ignored.length === 0 ? {} : { ignored: new IgnoreMatcher(ignored) }),
  };
}
