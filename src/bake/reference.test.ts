import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { isFault } from "#base";
import { HclFault } from "#hcl";
import { finishTargets } from "./finish-targets.ts";
import { listTargets, listVariables } from "./list.ts";
import { defaultFiles, parseDefinitions } from "./parse-files.ts";
import { printTargets } from "./print.ts";
import { resolveTargets } from "./resolve-targets.ts";
import { type Answer, type Case, readCases, recordAnswers } from "./testing.ts";

/*
 * What buildx prints for each case of testdata/cases.txt. BUILDX=PATH bun test, with the path of
 * the plugin, asks it about cases without an answer: take out the answers that are to be asked again.
 */
const testdata = join(import.meta.dir, "testdata");
const cases = readCases(join(testdata, "cases.txt"));
const answerFile = join(testdata, "reference.json");

const recorded: Record<string, Answer> = await Bun.file(answerFile).json();
const names = new Set(cases.map(({ name }) => name));
const unanswered = cases.filter(({ name }) => recorded[name] === undefined);

if (process.env.BUILDX) {
  const known = Object.entries(recorded).filter(([name]) => names.has(name));
  const answered = await recordAnswers(unanswered, process.env.BUILDX);
  Object.assign(recorded, answered);
  await Bun.write(
    answerFile,
    `${JSON.stringify({ ...Object.fromEntries(known), ...answered }, null, 2)}\n`,
  );
}

/** What is answered otherwise, and why. */
const differences: Readonly<Record<string, Answer & { readonly why: string }>> = {
  "type string  FOO {}": {
    why: "buildx has a null without a type, on which it panics in other places",
    out: printed({ context: ".", dockerfile: "Dockerfile" }),
  },
};

function printed(target: object): string {
  const group = { default: { targets: ["default"] } };
  return `${JSON.stringify({ group, target: { default: target } }, null, 2)}\n`;
}

function readFiles({ files, args }: Case) {
  const named = args.flatMap((word, at) => (args[at - 1] === "-f" ? [word] : []));
  const names = named.length > 0 ? named : defaultFiles;
  return names.flatMap((name) => {
    const text = files.get(name);
    return text === undefined ? [] : [{ name, bytes: Buffer.from(text) }];
  });
}

function answer(each: Case): Answer {
  const { args, env } = each;
  const lookUp = (name: string) => env[name];
  const files = readFiles(each);
  const words = args.filter(
    (word, at) => !/^-/.test(word) && !/^(?:-f|--set)$/.test(args[at - 1] ?? ""),
  );
  const overrides = args.flatMap((word, at) => (args[at - 1] === "--set" ? [word] : []));
  const list = args.find((word) => word.startsWith("--list="))?.slice("--list=".length);
  try {
    const parsed = parseDefinitions(files, {
      lookUp,
      now: () => new Date(0),
      homeDirectory: "/root",
      builtins: new Map([
        ["BAKE_CMD_CONTEXT", "cwd://"],
        ["BAKE_LOCAL_PLATFORM", "linux/amd64"],
      ]),
    });
    if (list !== undefined) {
      const format = list.includes("format=json") ? "json" : "table";
      const { definition, variables } = parsed;
      return {
        out: list.includes("targets")
          ? listTargets(definition, format)
          : listVariables(variables, format),
      };
    }
    const names = words.length > 0 ? words : ["default"];
    const resolved = resolveTargets(parsed.definition, { names, overrides, lookUp });
    return { out: printTargets(finishTargets(resolved, { env, hasPath: () => false })) };
  } catch (error) {
    if (!isFault(error)) throw error;
    const range = error instanceof HclFault ? error.range : undefined;
    const place =
      range && files.some(({ name }) => name === range.file)
        ? `${range.file}:${range.start.line}\n`
        : "";
    return { error: `${place}ERROR: ${error.message}` };
  }
}

/** The first line, which names the place, and the message; the lines between are the file's. */
function withoutSource({ out, error }: Answer): Answer {
  if (error === undefined) return out === undefined ? {} : { out };
  return { error: error.replace(/^-{20}\n[\s\S]*?\n-{20}\n/m, "") };
}

describe("bake answers as buildx does", () => {
  for (const each of cases) {
    test(each.name, () => {
      const expected = differences[each.name] ?? withoutSource(recorded[each.name] ?? {});
      const { out, error = "" } = expected;
      expect(answer(each)).toEqual(out === undefined ? { error } : { out });
    });
  }
});
