import { describe, expect, test } from "bun:test";
import { parsePlatform } from "#image";
import { type CheckReport, type CheckRequest, checkDockerfile } from "./check.ts";
import type { LineRange } from "./fault.ts";
import { IgnoreMatcher, parseIgnoreFile } from "./ignore.ts";
import { listTargets, type Outline, outline, type Target } from "./outline.ts";
import recorded from "./testdata/reference.json" with { type: "json" };
import { type Answer, type Case, readCases, recordAnswers } from "./testing.ts";

const answers: Readonly<Record<string, Answer>> = recorded;

const later = "the flag is in the syntax 1.20, which the reference does not have yet";
const unread = "base images are not looked up";
const own = "the message says more";

/** What is answered otherwise, and why. */
const differences: Readonly<Record<string, Partial<Answer> & { readonly why: string }>> = {
  "from platform bad": {
    why: own,
    error:
      'failed to parse platform linux/amd64/v1/x: "linux/amd64/v1/x" is not a platform: it has more than three parts; write it as "linux/amd64" or "linux/arm/v7"',
  },
  "from platform bad characters": {
    why: own,
    error:
      'failed to parse platform lin%ux: "lin%ux" is not a platform: "lin%ux" is not a name; write it as "linux/amd64" or "linux/arm/v7"',
  },
  "from argument invalid default": {
    why: own,
    error:
      'failed to parse stage name "debian:": invalid reference format: "debian:": "" is not a tag',
  },
  "from bad reference": { why: unread, status: 0, error: "", at: "" },
  "copy flags": { why: later, status: 0, error: "", at: "" },
  "mount from a number": { why: unread, status: 0, error: "", at: "" },
  "copy chmod bad": {
    why: own,
    error: "invalid chmod parameter: 'foo'. it should be octal string and between 0 and 07777",
  },
  "run mount secret with from": {
    why: unread,
    error: "secret mount should not have a from",
    at: "2",
  },
};

function requestOf({ args, target, ignored }: Case): CheckRequest {
  const platform = parsePlatform("linux/amd64");
  return {
    buildArgs: new Map(args),
    ...(target === undefined ? {} : { target }),
    buildPlatform: platform,
    targetPlatform: platform,
    ...(ignored === "" ? {} : { ignored: new IgnoreMatcher(parseIgnoreFile(ignored)) }),
  };
}

/** Variables that are not set are named in no order where one instruction has several. */
function tidied(warnings: readonly string[]): string[] {
  const key = (line: string) => (line.includes(" UndefinedVar:") ? line.split(":", 1)[0] : "");
  return warnings.toSorted((a, b) => (key(a) !== "" && key(a) === key(b) ? (a < b ? -1 : 1) : 0));
}

function linesOf(ranges: readonly LineRange[]): string {
  return ranges
    .flatMap(({ start, end }) => Array.from({ length: end - start + 1 }, (_, n) => start + n))
    .join(",");
}

function shownCheck({ warnings, failure }: CheckReport) {
  return {
    status: failure || warnings.length > 0 ? 1 : 0,
    warnings: warnings.map(({ rule, detail, range }) => `${linesOf([range])} ${rule}: ${detail}`),
    error: failure?.message ?? "",
    at: linesOf(failure?.ranges ?? []),
  };
}

function shownOutline({ name, description, arguments: args, secrets, agents }: Outline) {
  return {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    args: args
      .map(
        (each) => `${linesOf([each.range])} ${each.name}=${each.value} ${each.description ?? ""}`,
      )
      .map((line) => line.trim())
      .toSorted(),
    secrets: secrets.map(shownWant).toSorted(),
    ssh: agents.map(shownWant).toSorted(),
  };
}

function shownWant({ name, isRequired, range }: Outline["secrets"][number]): string {
  return `${linesOf([range])} ${name}${isRequired ? " required" : ""}`;
}

function shownTarget({ name = "", base, platform, isDefault, description, range }: Target): string {
  const on = platform === undefined ? "" : ` on ${platform}`;
  const about = description === undefined ? "" : `: ${description}`;
  return `${linesOf([range])} ${name} from ${base}${on}${isDefault ? " default" : ""}${about}`;
}

const cases = await readCases();
if (process.env.UPDATE === "1") {
  test("the answers are recorded anew from docker, which needs buildx", async () => {
    const path = `${import.meta.dir}/testdata/reference.json`;
    await Bun.write(path, `${JSON.stringify(await recordAnswers(cases), null, 1)}\n`);
  }, 3_600_000);
}

describe("as BuildKit does", () => {
  test.each(cases)("checks: $name", (each) => {
    const answer = { ...answers[each.name], ...differences[each.name] };
    const { status = 0, warnings = [], error = "", at = "" } = answer;
    const shown = shownCheck(checkDockerfile(each.text, requestOf(each)));
    expect({ ...shown, warnings: tidied(shown.warnings) }).toEqual({
      status,
      warnings: tidied(warnings),
      error,
      at,
    });
  });

  test.each(cases.filter(({ name }) => answers[name]?.outline))("outlines: $name", (each) => {
    const { args, secrets, ssh, ...rest } = (answers[each.name]?.outline ?? {}) as Record<
      string,
      string[]
    >;
    const sorted = { args: args?.toSorted(), secrets: secrets?.toSorted(), ssh: ssh?.toSorted() };
    expect(shownOutline(outline(each.text, requestOf(each)))).toEqual({
      ...rest,
      ...sorted,
    } as never);
  });

  test.each(cases.filter(({ name }) => answers[name]?.targets))("lists targets: $name", (each) => {
    expect(listTargets(each.text).map(shownTarget)).toEqual([
      ...(answers[each.name]?.targets ?? []),
    ]);
  });

  test("has an answer for every case", () => {
    expect(Object.keys(answers)).toEqual(cases.map(({ name }) => name));
  });
});
