/** Volumes as data: what Docker's CLI does not have, as a user types it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ThimbleCli } from "../support/thimble-cli.ts";
import { tarOf } from "../support/tree.ts";

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)("thimble volume [needs root]", () => {
  const cli = new ThimbleCli();
  let data: string;
  beforeAll(async () => {
    await cli.ok(["volume", "create", "data"]);
    data = await cli.ok(["volume", "inspect", "-f", "{{.Mountpoint}}", "data"]);
    mkdirSync(join(data, "d"));
    writeFileSync(join(data, "d/file"), "content");
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });

  const pathOf = (name: string) => join(data, "../..", name, "_data");
  const failure = async (...args: string[]) => {
    const { status, stderr } = await cli.run(["volume", ...args]);
    expect(status).toBe(1);
    return stderr;
  };

  test("export to a file and import from it", async () => {
    const file = join(cli.directory, "data.tar");
    expect(await cli.run(["volume", "export", "data", "-o", file])).toEqual({
      ...{ status: 0, signal: null, stdout: "", stderr: "" },
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await cli.run(["volume", "import", "from-file", file])).toMatchObject({
      ...{ status: 0, stdout: "from-file\n", stderr: "3 files and directories, 7B\n" },
    });
    expect(readFileSync(join(pathOf("from-file"), "d/file"), "utf8")).toBe("content");
  });

  test("export to a pipe and import from it", async () => {
    const file = join(cli.directory, "data.tar");
    const input = readFileSync(file);
    for (const [name, ...source] of [["one"], ["two", "-"]] as const) {
      expect(await cli.ok(["volume", "import", name, ...source], { input })).toBe(name);
      expect(readdirSync(pathOf(name))).toEqual(["d"]);
    }
    const { stdout } = await cli.run(["volume", "export", "data", "-o", "-"]);
    expect(stdout).toBe(input.toString());
  });

  test("files that are there stay unless --replace is given", async () => {
    const file = join(cli.directory, "new.tar");
    writeFileSync(file, tarOf([{ name: "new" }]));
    expect(await failure("import", "one", file)).toContain("replace them (--replace)");
    await cli.ok(["volume", "import", "--replace", "one", file]);
    expect(readdirSync(pathOf("one"))).toEqual(["new"]);
  });

  test("snapshot, snapshots, rollback, rm", async () => {
    const file = join(data, "d/file");
    expect(await cli.run(["volume", "snapshot", "data", "monday"])).toMatchObject({
      ...{ status: 0, stdout: "monday\n" },
    });
    writeFileSync(file, "changed");
    const listing = await cli.ok(["volume", "snapshots", "data"]);
    expect(listing).toMatch(/^VOLUME +TAG +CREATED\ndata +monday +(Less than a|\d+) seconds? ago$/);
    expect(await cli.ok(["volume", "snapshots", "-q", "data"])).toBe("monday");
    await cli.ok(["volume", "clone", "data@monday", "of-monday"]);
    await cli.ok(["volume", "rollback", "data", "monday"]);
    for (const path of [file, join(pathOf("of-monday"), "d/file")])
      expect(readFileSync(path, "utf8")).toBe("content");
    expect(await cli.ok(["volume", "rm", "data@monday"])).toBe("data@monday");
    expect(await cli.ok(["volume", "snapshots", "-q", "data"])).toBe("");
    expect(await failure("rollback", "data", "monday")).toContain("data has no snapshot monday");
    expect(await failure("rm", "data@monday")).toContain("data has no snapshot monday");
    expect(await failure("snapshot", "data", "a/b")).toContain("cannot be the tag of a snapshot");
  });

  test("bad input is named and leaves nothing", async () => {
    const file = join(cli.directory, "bad.tar");
    writeFileSync(file, "no archive at all".repeat(100));
    expect(await failure("export", "none")).toContain("get none: no such volume");
    expect(await failure("import", "bad", "/nonexistent")).toContain("no such file or directory");
    expect(await failure("import", "bad", "/tmp")).toContain("is a directory");
    expect(await failure("import", "bad", file)).toContain("this is not a tar archive");
    expect(await failure("import", "a b", file)).toContain("includes invalid characters");
    expect(await failure("export", "none", "-o", join(cli.directory, "x.tar"))).toContain("none");
    expect(existsSync(join(cli.directory, "x.tar"))).toBe(false);
    expect(await cli.ok(["volume", "ls", "-q"])).not.toContain("bad");
  });

  test("ctrl-c during an import leaves no volume", async () => {
    const archive = tarOf([{ name: "f", content: "x".repeat(1 << 20) }]);
    const running = cli.start(["volume", "import", "stalled"]);
    running.send(archive.toString("latin1", 0, 1 << 19));
    while (!(await cli.ok(["volume", "inspect", "stalled"]).catch(() => ""))) await Bun.sleep(20);
    running.signal("SIGINT");
    expect((await running.ended).status).toBe(130);
    while ((await cli.run(["volume", "inspect", "stalled"])).status === 0) await Bun.sleep(20);
    expect(readdirSync(join(data, "../..")).sort()).not.toContain("stalled");
  });
});
