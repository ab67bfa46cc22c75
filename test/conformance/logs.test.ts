/**
 * Options of the log drivers json-file and local, by the real docker CLI. Shown to pass on
 * dockerd 28.5.2 with docker CLI 28.2.2.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

here("log options [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  const options = (...each: string[]) => each.flatMap((option) => ["--log-opt", option]);

  async function ran(flags: readonly string[], script: string): Promise<string> {
    const name = target.name();
    await target.ok(["run", "--name", name, ...flags, image, "sh", "-c", script]);
    return name;
  }

  test("tag, labels and variables stand in each line, and logs --details shows them", async () => {
    const flags = [
      ...["--label", "a=1", "--label", "b.c=2 3", "--label", "z=4", "-e", "X=1", "-e", "YY=é&"],
      ...options("tag={{.Name}}/{{.ImageName}}", "labels=a,nope", "labels-regex=^b"),
      ...options("env=X,NOPE", "env-regex=^YY"),
    ];
    const name = await ran(flags, "echo hi; printf half");
    expect(await target.ok(["logs", name])).toBe("hi\nhalf");
    const details = `X=1,YY=%C3%A9%26,a=1,b.c=2+3,tag=${name}%2F${encodeURIComponent(image)}`;
    expect(await target.ok(["logs", "--details", name])).toBe(`${details} hi\n${details} half`);
    const stamped = await target.ok(["logs", "--details", "--timestamps", "--tail", "1", name]);
    expect(stamped.replace(/^\S+Z /, "")).toBe(`${details} half`);
  });

  test("a tag is a template", async () => {
    const tag = '{{upper .ImageName}} {{slice .FullID 0 4}} {{index .ContainerLabels "a"}}';
    const name = await ran(["--label", "a=1", ...options(`tag=${tag}`)], "echo hi");
    const [detail = ""] = (await target.ok(["logs", "--details", name])).split(" ");
    const id = await target.ok(["inspect", "-f", "{{.Id}}", name]);
    const text = decodeURIComponent(detail.replaceAll("+", " "));
    expect(text).toBe(`tag=${image.toUpperCase()} ${id.slice(0, 4)} 1`);
  });

  test.each([
    [options("mode=non-blocking", "max-buffer-size=1m")],
    [options("mode=blocking", "max-file=3", "compress=false")],
    [["--log-driver", "local"]],
    [["--log-driver", "local", ...options("max-size=1m", "max-file=2", "mode=non-blocking")]],
  ])("a container with %j runs, and its log is read", async (flags) => {
    const name = await ran(flags, "echo out; echo err >&2");
    expect(await target.docker(["logs", name])).toEqual({
      status: 0,
      stdout: "out\n",
      stderr: "err\n",
    });
    expect(await target.ok(["logs", "--tail", "1", name])).toBeOneOf(["out", ""]);
  });

  test("rotated files are compressed and read back", async () => {
    const flags = options("max-size=8k", "max-file=50", "compress=true");
    const name = await ran(flags, "for i in $(seq 500); do echo $i; done");
    const numbers = Array.from({ length: 500 }, (_, index) => `${index + 1}`);
    expect((await target.ok(["logs", name])).split("\n")).toEqual(numbers);
    expect((await target.ok(["logs", "--tail", "300", name])).split("\n")).toEqual(
      numbers.slice(200),
    );
  });

  test.each([
    [["max-size=-1"], "invalid size: '-1'"],
    [["max-size=0"], "max-size must be a positive number"],
    [["max-size=1k", "max-file=0"], "max-file cannot be less than 1"],
    [["compress=true", "max-size=1k"], "compress cannot be true when max-file is less than 2"],
    [["mode=odd"], "logger: logging mode not supported: odd"],
    [["max-buffer-size=1m"], "max-buffer-size option is only supported with 'mode=non-blocking'"],
    [["labels-regex=("], "error parsing regexp"],
    [["tag={{.Nope}}"], "can't evaluate field Nope"],
    [["tag={{.Name"], "unclosed action"],
    [["tag={{nofn .}}"], 'function "nofn" not defined'],
    [["size=1"], "unknown log opt 'size' for json-file log driver"],
  ])("%j is refused", async (each, words) => {
    const name = target.name();
    const ended = await target.docker(["run", "--name", name, ...options(...each), image, "true"]);
    expect(ended.status).toBe(125);
    expect(ended.stderr).toContain(words);
  });
});
