import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

const clone = join(import.meta.dir, "../..");

/** The commands of the README's `sh` blocks, a block together, as a user would paste them. */
async function blocks(): Promise<string[]> {
  const text = await readFile(join(clone, "README.md"), "utf8");
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
}

describe("the README's commands", () => {
  let dataRoot = "";
  let runRoot = "";

  beforeAll(async () => {
    dataRoot = await mkdtemp("/var/tmp/thimble-readme-");
    runRoot = await mkdtemp("/run/thimble-readme-");
  });

  afterAll(async () => {
    process.kill(Number(await readFile(join(runRoot, "engine.pid"), "utf8")), "SIGTERM");
    while (existsSync(join(runRoot, "engine.pid"))) await Bun.sleep(20);
    await rm(dataRoot, { recursive: true, force: true });
    await rm(runRoot, { recursive: true, force: true });
  });

  /** In a shell of its own, in the clone, against an engine of the test's own. */
  async function paste(commands: string) {
    const child = Bun.spawn(
      ["bash", "-euo", "pipefail", "-c", commands.replaceAll("/run/thimble/", `${runRoot}/`)],
      {
        cwd: clone,
        env: { ...process.env, THIMBLE_DATA_ROOT: dataRoot, THIMBLE_RUN_ROOT: runRoot },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    const [out, err, status] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { out, err, status };
  }

  test("the first block names the two commands; the main job works and may be repeated", async () => {
    const [first = ""] = await blocks();
    expect(
      first
        .split("\n")
        .filter(Boolean)
        .map((line) => line.split(/ *#/)[0]?.trim()),
    ).toEqual(["./thimble quickstart", "npm test"]);
    for (const _time of ["first", "second"]) {
      const { err, status } = await paste("./thimble quickstart");
      expect({ err, status }).toMatchObject({ status: 0 });
    }
  });

  test("every other block works as it stands", async () => {
    const [, ...rest] = await blocks();
    expect(rest.length).toBeGreaterThan(1);
    for (const block of rest) {
      const { out, err, status } = await paste(block);
      expect({ block, out, err, status }).toMatchObject({ status: 0 });
    }
  });
});
