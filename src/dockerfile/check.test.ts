import { describe, expect, test } from "bun:test";
import { parsePlatform } from "#image";
import { baseImages, checkDockerfile } from "./check.ts";
import type { KnownImage } from "./resolve-stages.ts";

const platform = parsePlatform("linux/amd64");
const request = {
  buildArgs: new Map<string, string>(),
  buildPlatform: platform,
  targetPlatform: platform,
};
const image: KnownImage = {
  platform,
  variables: ["FOO=1"],
  workdir: "/w",
  shell: [],
  triggers: [],
};

function details(text: string, known?: Partial<KnownImage>): string[] {
  const found = known && { ...image, ...known };
  const { warnings, failure } = checkDockerfile(text, { ...request, imageOf: () => found });
  return [...warnings.map(({ detail }) => detail), ...(failure ? [failure.message] : [])];
}

describe("the checks of a stage that begins with an image", () => {
  const text = "FROM file:1\nLABEL a=$FOO b=$FOOO c=$NOPE\n";

  test("know the image's variables", () => {
    expect(details(text, {})).toEqual([
      "Usage of undefined variable '$FOOO' (did you mean $FOO?)",
      "Usage of undefined variable '$NOPE'",
    ]);
  });

  test("let an image that is not known have any variables, but for mistyped ones", () => {
    expect(details(`${text}ENV version=1\nLABEL a=$verison\n`)).toEqual([
      "Usage of undefined variable '$verison' (did you mean $version?)",
    ]);
  });

  test("know its shell, its working directory and what ONBUILD left", () => {
    expect(details("FROM a\nCMD b\n", { shell: ["/bin/bash", "-c"] })).toEqual([]);
    const mount = "FROM a\nRUN --mount=type=cache,target=. b\n";
    expect(details(mount, {})).toEqual([]);
    expect(details(mount, { workdir: "" })).toEqual(['invalid mount target "/"']);
    expect(details("FROM a\n", { triggers: ["COPY $X y"] })).toEqual([
      "Usage of undefined variable '$X'",
    ]);
  });

  test("compare its platform with the one that the stage is for", () => {
    const arm = parsePlatform("linux/arm64");
    expect(details("FROM file:1\n", { platform: arm })).toEqual([
      'Base image file:1 was pulled with platform "linux/arm64", expected "linux/amd64" for current build',
    ]);
    expect(details("FROM --platform=linux/arm64 file:1 AS arm64\n", { platform: arm })).toEqual([]);
  });
});

test("the images that stages begin with are named", () => {
  const text = "ARG t=1\nFROM b:$t AS a\nFROM a\nFROM scratch\nFROM c\nFROM c\n";
  expect(baseImages(text, request)).toEqual(["b:1", "c"]);
  expect(baseImages("FROM $t\n", request)).toEqual([]);
});

test("the build argument BUILDKIT_DOCKERFILE_CHECK stands for the directive", () => {
  const buildArgs = new Map([["BUILDKIT_DOCKERFILE_CHECK", "skip=all"]]);
  const text = "# check=error=true\nFROM scratch as a\n";
  expect(checkDockerfile(text, { ...request, buildArgs })).toEqual({ warnings: [] });
  const wrong = new Map([["BUILDKIT_DOCKERFILE_CHECK", "skip"]]);
  expect(checkDockerfile(text, { ...request, buildArgs: wrong }).failure?.message).toBe(
    'failed to parse build-arg:BUILDKIT_DOCKERFILE_CHECK: invalid check option "skip"',
  );
});
