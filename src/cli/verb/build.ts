import { isFault } from "#base";
import {
  baseImages,
  checkDockerfile,
  DockerfileFault,
  excerpt,
  IgnoreMatcher,
  listTargets,
  outline,
  parseIgnoreFile,
} from "#dockerfile";
import { hostPlatform, parsePlatform } from "#image";
import { type BuildFile, readBuildFile } from "../build-file.ts";
import {
  checkJson,
  checkText,
  outlineJson,
  outlineText,
  targetsJson,
  targetsText,
} from "../build-report.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import { knownImages } from "../known-images.ts";
import type { buildFlags } from "../table/build.ts";

interface Call {
  readonly method: "check" | "outline" | "targets";
  readonly isJson: boolean;
  /** What the checks find does not make the exit status 1. */
  readonly ignoresStatus: boolean;
}

export const build: Verb<typeof buildFlags> = async (context, { flags, args }) => {
  const call = parseCall(flags);
  const file = await readBuildFile(context, { path: args[0] ?? ".", file: flags.file });
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
};

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
  const { target, platform } = flags;
  return {
    buildArgs: buildArguments(flags["build-arg"], context.env),
    ...(target === undefined ? {} : { target }),
    buildPlatform: hostPlatform(),
    targetPlatform: platform === undefined ? hostPlatform() : parsePlatform(platform),
    ...(ignored.length === 0 ? {} : { ignored: new IgnoreMatcher(ignored) }),
  };
}

/** A name without a value takes that of the environment, where it is set. */
function buildArguments(given: readonly string[], env: Context["env"]): Map<string, string> {
  const values = new Map<string, string>();
  for (const each of given) {
    const equals = each.indexOf("=");
    const name = equals < 0 ? each : each.slice(0, equals);
    const value = equals < 0 ? env[name] : each.slice(equals + 1);
    if (value !== undefined) values.set(name, value);
  }
  return values;
}

/** "check,format=json,ignorestatus=true", and --check, which says less. */
function parseCall({ call, check, format }: Values<typeof buildFlags>): Call {
  if (call === undefined && !check) {
    throw new Exit(
      1,
      "thimble: this version of thimble checks Dockerfiles and does not build them yet; use --check, or --call with check, outline or targets",
    );
  }
  const [name = "", ...options] = (call ?? "check").split(",");
  const method = name === "lint" ? "check" : name;
  if (method !== "check" && method !== "outline" && method !== "targets") {
    throw new Exit(1, `thimble: unsupported call: ${name}; use check, outline or targets`);
  }
  let isJson = format === "json";
  let ignoresStatus = false;
  for (const option of options) {
    const [key = "", value = ""] = option.split("=", 2);
    if (key === "format" && /^(json|text)$/.test(value)) isJson = value === "json";
    else if (key === "ignorestatus" && /^(true|false|1|0)$/.test(value)) {
      ignoresStatus = value === "true" || value === "1";
    } else {
      throw new Exit(
        1,
        `thimble: invalid option of --call: ${option}; use format=json, format=text or ignorestatus=true`,
      );
    }
  }
  return { method, isJson, ignoresStatus };
}
