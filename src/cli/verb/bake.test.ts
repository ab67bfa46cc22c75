import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "../run-cli.ts";
import { testOptions, textSource } from "../testing.ts";

const directory = mkdtempSync("/tmp/thimble-bake-");
afterAll(() => rmSync(directory, { recursive: true }));

const definition = `variable "TAG" {}\ntarget "default" { tags = ["web:\${TAG}"] }\n`;
const path = join(directory, "docker-bake.hcl");
writeFileSync(path, definition);

async function run(words: readonly string[], change: Parameters<typeof testOptions>[0] = {}) {
  const { options, stdout, stderr } = testOptions(change);
  const status = await runCli(["bake", ...words], options);
  return { status, out: stdout.text, err: stderr.text };
}

function tagsOf(printed: string): unknown {
  return JSON.parse(printed).target.default.tags;
}

describe("bake --print", () => {
  test("reads a file, with variables of the environment and of this run", async () => {
    const fromEnvironment = await run(["--print", "-f", path], { env: { TAG: "1" } });
    expect(tagsOf(fromEnvironment.out)).toEqual(["web:1"]);
    const set = await run(["--print", "-f", path, "--var", "TAG=2"], { env: { TAG: "1" } });
    expect(tagsOf(set.out)).toEqual(["web:2"]);
  });

  test("reads standard input", async () => {
    const stdin = textSource('{ "target": { "default": { "tags": ["a"] } } }');
    expect(tagsOf((await run(["--print", "-f", "-"], { stdin })).out)).toEqual(["a"]);
  });

  test("sets values of targets", async () => {
    const { out } = await run(["--print", "-f", path, "--set", "*.tags=b", "--push", "--no-cache"]);
    expect(JSON.parse(out).target.default).toEqual({
      context: ".",
      dockerfile: "Dockerfile",
      tags: ["b"],
      output: [{ type: "image", push: "true" }],
      "no-cache": true,
    });
  });

  test("shows the line of an error", async () => {
    const broken = join(directory, "broken.hcl");
    writeFileSync(broken, 'target "default" {\n  target = nope\n}\n');
    expect(await run(["--print", "-f", broken])).toEqual({
      status: 1,
      out: "",
      err: [
        `${broken}:2`,
        "--------------------",
        '   1 |     target "default" {',
        "   2 | >>>   target = nope",
        "   3 |     }",
        "   4 |     ",
        "--------------------",
        `ERROR: ${broken}:2,12-16: Unknown variable; There is no variable named "nope"., and 1 other diagnostic(s)`,
        "",
      ].join("\n"),
    });
  });

  test.each([
    [["--print", "-f", "/nope.hcl"], "ERROR: open /nope.hcl: no such file or directory"],
    [["--print", "-f", directory], `ERROR: read ${directory}: is a directory`],
    [["--print", "--list=targets"], "ERROR: --print and --list are mutually exclusive"],
    [["--print", "https://example.com/x.git"], "definitions at a URL are not read"],
    [["--print", "-f", path, "--var", "TAG"], 'ERROR: invalid variable "TAG", expected key=value'],
    [["--list=foo", "-f", path], 'ERROR: invalid list type "foo"'],
    [["--list=type=targets,format=x", "-f", path], 'ERROR: invalid list format "x"'],
  ])("%j is refused", async (words, message) => {
    const { status, err } = await run(words);
    expect({ status, err }).toEqual({ status: 1, err: expect.stringContaining(message) });
  });
});

test("bake --list shows targets and variables", async () => {
  expect((await run(["--list=targets", "-f", path])).out).toBe("TARGET\tDESCRIPTION\ndefault\t\n");
  expect((await run(["--list=variables", "-f", path])).out).toBe(
    "VARIABLE\tTYPE\tVALUE\tDESCRIPTION\nTAG\t\t\t\t\n",
  );
});

describe("docs/bake.md", () => {
  const document = readFileSync(join(import.meta.dir, "../../../docs/bake.md"), "utf8");
  const example = /```hcl\n([\s\S]*?)```/.exec(document)?.[1] ?? "";
  const file = join(directory, "example.hcl");

  test("its definition makes the targets that it tells of", async () => {
    writeFileSync(file, example);
    const { out } = await run(["--print", "-f", file, "--var", "TAG=1.2"]);
    const { target } = JSON.parse(out);
    expect(Object.keys(target)).toEqual(["base", "web", "worker-mail", "worker-orders"]);
    expect(target.web.tags).toEqual(["shop/web:1.2", "shop/web:1"]);
    expect(target["worker-mail"].args).toEqual({ QUEUE: "MAIL" });
    const listed = await run(["--list=targets", "-f", file]);
    expect(listed.out).toContain("default\t\tweb, worker\n");
    const workers = await run([
      "--print",
      "-f",
      file,
      "worker-*",
      "--set",
      "*.platform=linux/arm64",
    ]);
    expect(JSON.parse(workers.out).target["worker-orders"].platforms).toEqual(["linux/arm64"]);
  });

  test("its error is what is printed", async () => {
    writeFileSync(file, example.replace('VERSION = "1.2"', "VERSION = VERSOIN"));
    const { err } = await run(["--print", "-f", file]);
    const shown = /```\n(docker-bake\.hcl:12\n[\s\S]*?)```/.exec(document)?.[1] ?? "";
    expect(err.replaceAll(file, "docker-bake.hcl")).toBe(shown);
  });
});
