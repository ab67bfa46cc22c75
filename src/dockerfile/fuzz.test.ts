import { expect, test } from "bun:test";
import { isFault } from "#base";
import { parsePlatform } from "#image";
import { type Random, random, rounds } from "../base/testing.ts";
import { checkDockerfile } from "./check.ts";
import { expand } from "./expand.ts";
import { IgnoreMatcher, parseIgnoreFile } from "./ignore.ts";
import { listTargets, outline } from "./outline.ts";
import { readCases } from "./testing.ts";

const platform = parsePlatform("linux/amd64");
const request = {
  buildArgs: new Map<string, string>(),
  buildPlatform: platform,
  targetPlatform: platform,
};

const words =
  `FROM RUN COPY ADD ENV ARG LABEL ONBUILD HEALTHCHECK CMD EXPOSE VOLUME SHELL AS scratch a b $a \${a \${a:-b} \${a#*b} \${a//b/c} --from= --mount=type=cache,target= --chmod= <<EOF <<-E EOF ["a"] [ ] " ' \\ \` # = : , / * ? ** ! .. \n \n \t \r\n \u0000 \ufeff ä 😀 \ud800 0 1-2`.split(
    " ",
  );

/** What the function gives; undefined for what is refused. Anything else that is thrown fails the test. */
function unlessRefused<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (isFault(error) && error.code !== "internal") return undefined;
    throw error;
  }
}

function mutated(text: string, next: Random): string {
  let result = text;
  for (let change = next(6); change >= 0; change--) {
    const at = next(result.length + 1);
    const end = next(3) === 0 ? at + next(20) : at;
    const inserted = Array.from({ length: next(4) }, () => words[next(words.length)]);
    result = result.slice(0, at) + inserted.join(next(2) === 0 ? " " : "") + result.slice(end);
  }
  return result;
}

test("any text is a Dockerfile, or refused with a word", async () => {
  const cases = await readCases();
  const next = random(11);
  for (let round = 0; round < rounds(300, 100_000); round++) {
    const text = mutated(cases[next(cases.length)]?.text ?? "", next);
    const { failure } = unlessRefused(() => checkDockerfile(text, request)) ?? {};
    const lines = text.split("\n").length;
    for (const { start, end } of failure?.ranges ?? []) {
      expect([text, 1 <= start && start <= end && end <= lines]).toEqual([text, true]);
    }
    unlessRefused(() => listTargets(text));
    unlessRefused(() => outline(text, request));
  }
});

test("any text is expanded, or refused with a word", () => {
  const next = random(12);
  const variables = new Map([["a", "ab*b"]]);
  for (let round = 0; round < rounds(1000, 200_000); round++) {
    const text = mutated("", next) + mutated(`\${a//*b/c}`, next);
    const quotes = (["remove", "keep", "ignore"] as const)[next(3)] ?? "remove";
    const options = {
      escape: "\\",
      quotes,
      keepEscapes: next(2) === 0,
      keepUnset: next(2) === 0,
    } as const;
    const expansion = unlessRefused(() => expand(text, variables, options));
    expect(expansion?.words.every((word) => word !== "") ?? true).toBe(true);
  }
});

test("any text is a .dockerignore, or refused with a word", () => {
  const next = random(13);
  const paths = ["a", "a/b", "a/b/c", "b", "ab", ".a", "a.b", "ä/a"];
  for (let round = 0; round < rounds(500, 100_000); round++) {
    const text = Array.from({ length: 1 + next(4) }, () => mutated("!a/*b/**", next)).join("\n");
    const matcher = unlessRefused(() => new IgnoreMatcher(parseIgnoreFile(text)));
    const [one] = parseIgnoreFile(text);
    if (!matcher || one === undefined) continue;
    for (const path of paths) {
      matcher.ignores(path);
      matcher.step(matcher.root, path);
    }
  }
});

/** Files that grow in one respect; what is quadratic in it takes more than is allowed. */
const large: readonly (readonly [what: string, text: (count: number) => string])[] = [
  ["instructions", (n) => `FROM scratch\n${"LABEL a=b\n".repeat(n)}`],
  [
    "stages from stages",
    (n) => `FROM scratch AS a\n${"FROM a\nENV b=c\n".repeat(Math.min(n, 900))}`,
  ],
  [
    "variables",
    (n) =>
      `FROM scratch\n${Array.from({ length: n }, (_, i) => `ENV a${i}=$a${i - 1}\n`).join("")}`,
  ],
  [
    "variables that are not set",
    (n) => `FROM scratch\n${Array.from({ length: n }, (_, i) => `LABEL a=$b${i}\n`).join("")}`,
  ],
  ["blanks", (n) => `FROM scratch\n${`RUN a${" ".repeat(50_000)}b \\\n`.repeat(n / 1000)}\n`],
  ["continuations", (n) => `FROM scratch\nRUN a ${"\\\n b".repeat(n)}\n`],
  ["flags", (n) => `FROM scratch\nRUN ${"--mount=target=/a \\\n".repeat(n)} a\n`],
  ["words", (n) => `FROM scratch\nCOPY ${"a \\\n".repeat(n)} b\n`],
  ["heredocs", (n) => `FROM scratch\nRUN cat ${"<<A \\\n".repeat(n)} b\n${"x\nA\n".repeat(n)}`],
  ["quotes", (n) => `FROM scratch\nLABEL ${"a='b' \\\n".repeat(n)} c=d\n`],
  ["triggers of triggers", (n) => `FROM scratch\n${"ONBUILD \\\n".repeat(n)} RUN a\n`],
  ["comments", (n) => `${"# a\n".repeat(n)}FROM scratch\n`],
  [
    "arguments",
    (n) =>
      Array.from({ length: n }, (_, i) => `ARG a${i}=$a${i - 1}\n`).join("") +
      "FROM scratch\n".repeat(500),
  ],
  [
    "a cycle of stages",
    (n) =>
      `FROM scratch\n${Array.from({ length: Math.min(n, 900) }, (_, i) => `FROM scratch AS a${i}\nCOPY --from=a${(i + 1) % 900} a b\n`).join("")}`,
  ],
];

test.each(large)("a large file is no slow one: %s", (_, textOf) => {
  const text = textOf(rounds(1000, 40_000));
  const before = process.cpuUsage();
  unlessRefused(() => checkDockerfile(text, request));
  unlessRefused(() => outline(text, request));
  // Of the processor, in microseconds: the machine may be busy.
  const { user, system } = process.cpuUsage(before);
  expect(user + system).toBeLessThan(rounds(2e6, 10e6));
});
