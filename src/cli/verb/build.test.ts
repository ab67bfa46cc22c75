import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { runCli } from "../run-cli.ts";
import { testOptions, textSource } from "../testing.ts";

const directory = mkdtempSync("/tmp/thimble-build-");
afterAll(() => rmSync(directory, { recursive: true }));

async function run(words: readonly string[], change: Parameters<typeof testOptions>[0] = {}) {
  const { options, stdout, stderr } = testOptions(change);
  const status = await runCli(["build", ...words], options);
  return { status, out: stdout.text, err: stderr.text };
}

/** A context with these files. */
function context(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(directory, name);
  mkdirSync(path);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

describe("build --check", () => {
  test("says that all is well", async () => {
    const path = context("well", { Dockerfile: "FROM scratch\nCOPY a b\n" });
    const result = await run(["--check", path]);
    expect(result).toEqual({ status: 0, out: "Check complete, no warnings found.\n", err: "" });
  });

  test("shows warnings by line, and the error with its line", async () => {
    const path = context("ill", { Dockerfile: "FROM scratch as x\nCOPPY a\n" });
    expect(await run(["--check", path])).toEqual({
      status: 1,
      out: [
        "Check complete, 1 warning has been found!",
        "",
        "WARNING: FromAsCasing - https://docs.docker.com/go/dockerfile/rule/from-as-casing/",
        "'as' and 'FROM' keywords' casing do not match",
        `${path}/Dockerfile:1`,
        "--------------------",
        "   1 | >>> FROM scratch as x",
        "   2 |     COPPY a",
        "   3 |     ",
        "--------------------",
        "",
        "",
      ].join("\n"),
      err: [
        "ERROR: dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)",
        `${path}/Dockerfile:2`,
        "--------------------",
        "   1 |     FROM scratch as x",
        "   2 | >>> COPPY a",
        "   3 |     ",
        "--------------------",
        "",
        "",
      ].join("\n"),
    });
  });

  test("prints JSON as buildx does", async () => {
    const stdin = textSource("FROM scratch\nCMD a \\\n  b\n");
    const { status, out } = await run(["--check", "--format", "json", "-"], { stdin });
    const lines = [2, 3].map((line) => ({ start: { line }, end: { line } }));
    expect({ status, ...JSON.parse(out) }).toEqual({
      status: 1,
      warnings: [
        {
          ruleName: "JSONArgsRecommended",
          description:
            "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
          url: "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
          detail:
            "JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
          location: { ranges: lines },
        },
      ],
      sources: [
        {
          filename: "Dockerfile",
          data: Buffer.from("FROM scratch\nCMD a \\\n  b\n").toString("base64"),
          language: "Dockerfile",
        },
      ],
    });
    const clean = await run(["--call=check,format=json", "-"], {
      stdin: textSource("FROM scratch"),
    });
    expect(JSON.parse(clean.out).warnings).toBeNull();
    const ignoring = ["--call=check,ignorestatus=true", "-"];
    expect((await run(ignoring, { stdin: textSource("FROM scratch\nCMD a") })).status).toBe(0);
  });

  test("takes NAME.dockerignore before .dockerignore", async () => {
    const text = "# check=experimental=all\nFROM scratch\nCOPY a b /\n";
    const path = context("ignored", {
      Dockerfile: text,
      "web.Dockerfile": text,
      ".dockerignore": "a\n",
      "web.Dockerfile.dockerignore": "b\n",
    });
    expect((await run(["--check", path])).out).toContain('Copy file "a"');
    expect((await run(["--check", "-f", `${path}/web.Dockerfile`, path])).out).toContain(
      'Copy file "b"',
    );
  });

  test("takes arguments of the build, also from the environment", async () => {
    const path = context("args", {
      dockerfile: `FROM scratch\nARG a b\nLABEL c=\${a:?} d=\${b:?}\n`,
    });
    expect((await run(["--check", path])).err).toContain("a: is not allowed to be unset");
    const words = ["--check", "--build-arg", "a=1", "--build-arg", "b", path];
    expect(await run(words, { env: { b: "2" } })).toMatchObject({ status: 0, err: "" });
  });
});

test.each([
  ["a context that is missing", ["--check", "/nowhere"], 'context: path "/nowhere" not found'],
  [
    "a Dockerfile that is missing",
    ["--check", "-f", "/nowhere", "/"],
    "open /nowhere: no such file or directory",
  ],
  ["a Dockerfile that is a directory", ["--check", "-f", "/", "/"], "open /: is a directory"],
  [
    "a context that is a URL",
    ["--check", "https://example.org/a.git"],
    "a context that is a URL cannot be checked",
  ],
  ["two sources of the Dockerfile", ["--check", "-f", "x", "-"], "comes from standard input"],
  [
    "an option of --call that is unknown",
    ["--call=check,color=1", "/"],
    "invalid option of --call: color=1",
  ],
])("%s is refused", async (_, words, message) => {
  const { status, out, err } = await run(words);
  expect({ status, out }).toEqual({ status: 1, out: "" });
  expect(err).toContain(message);
});

test("an engine that runs is asked about base images, and none is needed", async () => {
  const asked: (string | undefined)[] = [];
  const server = createServer(({ url = "" }, response) => {
    asked.push(url.replace(/^\/v[\d.]+/, ""));
    response.setHeader("Content-Type", "application/json");
    response.setHeader("Api-Version", "1.51");
    if (url.includes("/debian")) {
      const Config = { Env: ["FOO=1"], WorkingDir: "", OnBuild: null, Shell: null };
      response.end(JSON.stringify({ Config, Os: "linux", Architecture: "s390x" }));
      return;
    }
    response.statusCode = url.includes("_ping") ? 200 : 404;
    response.end(url.includes("_ping") ? "OK" : '{"message":"No such image"}');
  });
  const socket = join(directory, "engine.sock");
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const stdin = () => textSource("FROM debian:12\nLABEL a=$FOO b=$BAR\nFROM other\nLABEL c=$BAZ\n");
  const env = { DOCKER_HOST: `unix://${socket}` };
  const { out } = await run(["--check", "-"], { stdin: stdin(), env });
  server.close();
  expect(out).toContain("2 warnings have been found");
  expect(out).toContain("Base image debian:12 was pulled with platform");
  expect(out).toContain("undefined variable '$BAR'");
  expect(asked).toContain("/images/other/json");
  const away = { DOCKER_HOST: `unix://${directory}/away.sock` };
  expect(await run(["--check", "-"], { stdin: stdin(), env: away })).toMatchObject({ status: 0 });
});

describe("build --call", () => {
  const text =
    "# x the x\nFROM scratch AS x\n# A the first\nARG A=1 LONGNAME\nRUN --mount=type=secret,id=s,required=true --mount=type=ssh true\nFROM x\n";

  test("outline lists what a target takes", async () => {
    const { out } = await run(["--call=outline", "--target", "x", "-"], {
      stdin: textSource(text),
    });
    expect(out).toBe(
      [
        "TARGET:      x",
        "DESCRIPTION: the x",
        "",
        "BUILD ARG   VALUE   DESCRIPTION",
        "A           1       the first",
        "LONGNAME            ",
        "",
        "SECRET   REQUIRED",
        "s        true",
        "",
        "SSH       REQUIRED",
        "default   ",
        "",
        "",
      ].join("\n"),
    );
    const json = await run(["--call=outline,format=json", "-"], { stdin: textSource(text) });
    expect(JSON.parse(json.out)).toMatchObject({
      args: [{ name: "A", value: "1", description: "the first" }, { name: "LONGNAME" }],
      secrets: [{ name: "s", required: true }],
      ssh: [{ name: "default" }],
    });
  });

  test("targets lists the stages", async () => {
    const { out } = await run(["--call=targets", "-"], { stdin: textSource(text) });
    expect(out).toBe("TARGET    DESCRIPTION\nx         the x\n(default) \n");
    const json = await run(["--call=targets,format=json", "-"], { stdin: textSource(text) });
    expect(JSON.parse(json.out).targets).toMatchObject([
      { name: "x", description: "the x", base: "scratch" },
      { default: true, base: "x" },
    ]);
  });

  test("shows the line of an error", async () => {
    const stdin = textSource("FROM scratch\nCOPPY a\n");
    const { status, err } = await run(["--call=targets", "-"], { stdin });
    expect(status).toBe(1);
    expect(err).toStartWith(
      "ERROR: failed to build: failed to solve: dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)\nstdin:2\n",
    );
  });
});
