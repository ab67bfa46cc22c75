import { describe, expect, test } from "bun:test";
import { type ImageConfig, parsePlatform } from "#image";
import { findEntry } from "./entry.ts";
import { planBuild } from "./plan.ts";

const platform = parsePlatform("linux/amd64");
const image: ImageConfig = {
  ...{ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } },
  config: { Env: ["PATH=/bin"] },
  history: [],
};
const text = [
  "FROM base AS one",
  "ENV A=1",
  "RUN --mount=type=cache,target=/c \\",
  "  first",
  "ENV A=2",
  "FROM one AS two",
  "COPY f /f",
  "USER 7",
  "RUN last",
  "WORKDIR /w",
  "ENV A=3",
].join("\n");
const plan = planBuild(text, {
  ...{ buildPlatform: platform, targetPlatform: platform, configOf: () => image },
  ...{ buildArgs: new Map(), contexts: new Map(), labels: new Map() },
  ...{ network: "default", hosts: [], ignoresCache: false },
});
const variable = (env: readonly string[]) => env.find((each) => each.startsWith("A="));

describe("a step to enter", () => {
  test.each([
    ["one/2", "[one 2/2] RUN --mount=type=cache,target=/c   first", "A=1", "first"],
    ["line:4", "[one 2/2] RUN --mount=type=cache,target=/c   first", "A=1", "first"],
    ["2", "[two 2/3] RUN last", "A=2", "last"],
    ["TWO/2", "[two 2/3] RUN last", "A=2", "last"],
  ])("RUN is entered in its place: %s", (words, name, value, command) => {
    const found = findEntry(plan, words);
    expect([found.name, variable(found.env)]).toEqual([name, value]);
    expect(found.argv.at(-1)?.trim()).toBe(command);
    expect(plan.operations).toContain(found);
  });

  test.each([
    ["one", "A=1", "", "/"],
    ["one/1", undefined, "", "/"],
    ["1", "A=2", "", "/"],
    ["line:7", "A=2", "", "/"],
    ["two/3", "A=2", "7", "/w"],
    ["", "A=3", "7", "/w"],
  ])("of others what they have made: %p", (words, value, user, cwd) => {
    const found = findEntry(plan, words);
    expect(plan.operations).not.toContain(found);
    expect([variable(found.env), found.user, found.cwd]).toEqual([value, user, cwd]);
    expect([found.argv, found.mounts]).toEqual([[], []]);
  });

  test.each([
    ["9", "there is no step 9 in this build"],
    ["three", "there is no step three"],
    ["three/1", "there is no step three/1"],
    ["line:2", "no step of this build stands in line 2"],
  ])("what is not there is told: %s", (words, message) => {
    expect(() => findEntry(plan, words)).toThrow(message);
  });
});
