import { describe, expect, test } from "bun:test";
import { isFault } from "#base";
import { parsePlatform } from "#image";
import { DockerfileFault } from "./fault.ts";
import type { Instruction, Kind } from "./instruction.ts";
import { parseMount } from "./mount.ts";
import { parseDockerfile } from "./parse.ts";
import { resolveStages } from "./resolve-stages.ts";
import { StageScope } from "./stage-scope.ts";

function instructions(text: string): readonly Instruction[] {
  return parseDockerfile(`FROM scratch\n${text}`).stages[0]?.instructions ?? [];
}

function only<K extends Kind>(kind: K, text: string): Instruction<K> {
  const [first] = instructions(text);
  if (first?.kind !== kind) throw new Error(`${text} is no ${kind}`);
  return first as unknown as Instruction<K>;
}

describe("a file is taken apart", () => {
  test("into global arguments and stages, with their lines", () => {
    const file = parseDockerfile(
      "# web the server\nARG v=1\n# web the server\nFROM --platform=$BUILDPLATFORM debian:$v AS Web\nRUN a \\\n  b\nfrom web\n",
    );
    expect(file.globalArguments.map(({ declared, range }) => ({ declared, range }))).toEqual([
      { declared: [{ name: "v", value: "1" }], range: { start: 2, end: 2 } },
    ]);
    expect(file.stages.map(({ instructions: _, comments: __, ...stage }) => stage)).toEqual([
      {
        keyword: "FROM",
        source: "FROM --platform=$BUILDPLATFORM debian:$v AS Web",
        range: { start: 4, end: 4 },
        name: "web",
        base: "debian:$v",
        platform: "$BUILDPLATFORM",
        description: "the server",
      },
      {
        keyword: "from",
        source: "from web",
        range: { start: 7, end: 7 },
        base: "web",
      },
    ]);
    expect(file.stages[0]?.instructions[0]?.range).toEqual({ start: 5, end: 6 });
  });

  test("with typed flags", () => {
    const copy = only(
      "copy",
      "COPY --from=x --chown=1:2 --chmod=u+x --link --parents --exclude=a --exclude=b c d e/",
    );
    expect(copy).toMatchObject({
      from: "x",
      chown: "1:2",
      chmod: "u+x",
      link: true,
      parents: true,
      exclude: ["a", "b"],
      sources: ["c", "d"],
      destination: "e/",
    });
    expect(only("add", "ADD --unpack --keep-git-dir=false a b")).toMatchObject({
      unpack: true,
      keepGitDirectory: false,
    });
    expect(only("run", "RUN --network=none --mount=type=ssh a")).toMatchObject({
      network: "none",
      security: "sandbox",
      mounts: ["type=ssh"],
      words: ["a"],
      isJson: false,
    });
    expect(only("healthcheck", 'HEALTHCHECK --interval=1m30s --retries=2 CMD ["a"]')).toMatchObject(
      {
        test: ["CMD", "a"],
        interval: 90e9,
        retries: 2,
      },
    );
  });

  test("with heredocs", () => {
    const run = only("run", "RUN <<A cat <<-'B'\na $x\nA\n\tb\n\tB\n");
    expect(run.heredocs).toEqual([
      { name: "A", isExpanded: true, isChomped: false, descriptor: 0, content: "a $x\n" },
      { name: "B", isExpanded: false, isChomped: true, descriptor: 0, content: "\tb\n" },
    ]);
    const copy = only("copy", "COPY x <<-A <<B /y/\n\ta\n\tA\nb\nB\n");
    expect(copy.sources).toEqual(["x"]);
    expect(copy.documents.map(({ name, content }) => [name, content])).toEqual([
      ["A", "a\n"],
      ["B", "b\n"],
    ]);
    expect(only("onbuild", "ONBUILD RUN <<A\nx\nA\n").trigger).toBe("RUN <<A\nx\nA");
  });

  test("without the ends of Windows' lines", () => {
    expect(instructions("LABEL a=b \\\r\n  c=d\r\n")[0]).toMatchObject({
      pairs: [
        { name: "a", value: "b" },
        { name: "c", value: "d" },
      ],
    });
  });
});

test.each([
  [
    "security is refused in the stable syntax",
    "FROM scratch\nRUN --security=insecure a",
    "unknown flag: --security",
  ],
  [
    "a line that is too long",
    `FROM scratch\nRUN ${"a".repeat(70_000)}`,
    "max allowed size of 65535",
  ],
  ["too many stages", "FROM scratch\n".repeat(1001), "more than 1000 stages"],
  ["too many lines", "\n".repeat(100_001), "more than 100000 lines"],
  ["too many bytes", "a".repeat(5 << 20), "larger than 4 MiB"],
])("%s", (_, text, message) => {
  expect(() => parseDockerfile(text)).toThrow(message);
});

test("what the syntax of the labs has is taken with its directive", () => {
  const file = parseDockerfile(
    "# syntax=docker/dockerfile:1-labs\nFROM scratch\nRUN --security=insecure a\n",
  );
  expect(file.stages[0]?.instructions[0]).toMatchObject({ security: "insecure" });
});

test("another frontend is refused by its name", () => {
  let thrown: unknown;
  try {
    parseDockerfile("# syntax=example.org/other:1\nFROM scratch\n");
  } catch (error) {
    thrown = error;
  }
  expect(isFault(thrown, "unsupported")).toBe(true);
  expect(String(thrown)).toContain("the frontend example.org/other:1");
});

test("a mount has the defaults of its type", () => {
  const plain = (text: string) => text;
  expect(parseMount("target=/a", plain)).toEqual({
    type: "bind",
    target: "/a",
    isReadOnly: true,
    isRequired: false,
  });
  expect(
    parseMount("type=cache,target=$x,sharing=locked,mode=0700,uid=1", (text) =>
      text.replace("$x", "/y"),
    ),
  ).toEqual({
    type: "cache",
    target: "/y",
    sharing: "locked",
    mode: 0o700,
    uid: 1,
    isReadOnly: false,
    isRequired: false,
  });
});

test("a stage's variables are those of its base, ENV and ARG, in order", () => {
  const platform = parsePlatform("linux/amd64");
  const file = parseDockerfile(
    "ARG g=global\nFROM image AS a\nARG g v=1\nENV w=$v:$g:$base\nFROM a\nENV w=$w:2\n",
  );
  const image = {
    platform,
    variables: ["base=image"],
    workdir: "/",
    shell: [],
    triggers: ["ENV t=$base"],
  };
  const resolved = resolveStages(
    file,
    { buildArgs: new Map([["v", "given"]]), buildPlatform: platform, targetPlatform: platform },
    { imageOf: (name) => (name === "image" ? image : undefined) },
  );
  let below: StageScope | undefined;
  for (const stage of resolved.reachable) {
    const scope: StageScope = new StageScope({ resolved, stage, below, report: () => undefined });
    for (const each of [...stage.triggers, ...stage.stage.instructions]) scope.apply(each);
    below = scope;
  }
  expect(below?.variables.get("t")).toBe("image");
  expect(below?.variables.get("w")).toBe("given:global:image:2");
});

test("a fault says where it is", () => {
  try {
    parseDockerfile("FROM scratch\nENV a=b \\\n  c\n");
    expect.unreachable();
  } catch (error) {
    expect((error as DockerfileFault).ranges).toEqual([{ start: 2, end: 3 }]);
    expect(error).toBeInstanceOf(DockerfileFault);
  }
});
