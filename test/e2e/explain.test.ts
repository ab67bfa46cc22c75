/** `thimble explain`, `diff` of images and `squash` as a user types them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ImageComparison, ImageExplanation, SquashReport } from "#wire";
import { directory, file, layeredArchive } from "../support/layered-image.ts";
import { busybox, ThimbleCli } from "../support/thimble-cli.ts";
import { tarOf } from "../support/tree.ts";

const isRoot = process.getuid?.() === 0;

const base = [
  directory("bin"),
  file("bin/tool", 5000, { mode: 0o755 }),
  file("opt/big", 100_000),
  file("etc/setting", "old"),
];
const second = [{ name: "opt/.wh.big" }, file("etc/setting", "new"), file("srv/page", 2000)];
const third = [file("srv/page", 2500), file("tmp/\x1b[31mred", 10)];

describe.skipIf(!isRoot)("what images are made of [needs root]", () => {
  const cli = new ThimbleCli();
  beforeAll(async () => {
    const images = [
      { name: "base:1", layers: [base] },
      { name: "web:1", layers: [base, second] },
      { name: "web:2", layers: [base, second, third], config: { Env: ["A=1"], Cmd: ["/bin/x"] } },
    ];
    for (const image of images) await cli.ok(["load"], { input: layeredArchive(image) });
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });
  const json = async <T>(...args: string[]): Promise<T> => JSON.parse(await cli.ok(args)) as T;

  describe("explain", () => {
    test("a summary and tables, plain in a pipe", async () => {
      const text = await cli.ok(["explain", "web:2"]);
      expect(text).toStartWith("web:2  110kB in 3 layers, ");
      expect(text).toContain("Wasted   102kB (93.1%): 100kB deleted later, 2kB replaced");
      expect(text).toMatch(/100kB\s+1\s+1\s+deleted by 2\s+\/opt\/big\n/);
      expect(text).toMatch(/2kB\s+1\s+2\s+replaced by 3\s+\/srv\/page\n/);
      expect(text).toContain("step 2");
      expect(text).toContain("no database of packages");
      expect(text).toContain("\\u001b[31mred");
      expect(text).not.toContain("\x1b");
    });

    test("the same as JSON, and by a template", async () => {
      const found = await json<ImageExplanation>("explain", "--json", "web:2");
      expect(found.total).toMatchObject({ wasted: 102_003, replaced: 2003, deleted: 100_000 });
      expect(found.layers.map(({ bytes }) => bytes)).toEqual([105_003, 2003, 2510]);
      expect(await cli.ok(["explain", "--format", "{{.total.wasted}}", "web:2"])).toBe("102003");
      const sizes = await cli.ok(["history", "--human=false", "--format", "{{.Size}}", "web:2"]);
      expect(sizes.split("\n").map(Number)).toEqual([2510, 2003, 105_003]);
    });

    test("--top, --depth and --layer", async () => {
      const few = await json<ImageExplanation>(
        "explain",
        "--json",
        "-n",
        "1",
        "--depth",
        "1",
        "web:2",
      );
      expect(few.files).toHaveLength(1);
      expect(few.tree.children).toHaveLength(1);
      const [, layer] = few.layers;
      for (const name of ["2", layer?.diffId ?? "", layer?.digest.slice(7, 19) ?? ""]) {
        const one = await json<ImageExplanation>("explain", "--json", "--layer", name, "web:2");
        expect(one.files.map(({ path }) => path)).toEqual(["/etc/setting"]);
      }
    });

    test("one path", async () => {
      const text = await cli.ok(["explain", "web:2", "/opt/big"]);
      expect(text).toContain("A container does not see it");
      expect(text).toMatch(/1\s+added\s+100kB\s+0644\s+[0-9a-f]{12}\s+step 1\n/);
      expect(text).toMatch(/2\s+deleted\s+[0-9a-f]{12}\s+step 2/);
    });

    const mistakes: [args: string[], message: string][] = [
      [["nosuch"], 'there is no image "nosuch" here'],
      [["web:2", "/nosuch"], "no layer of the image has /nosuch"],
      [["--layer", "9", "web:2"], "web:2 has no layer 9: it has 3 layers"],
      [["--layer", "beef", "web:2"], 'has no layer "beef"'],
      [["-n", "0", "web:2"], "0 is not between 1 and 10000"],
      [["--format", "{{.a", "web:2"], "template"],
    ];
    test.each(mistakes)("%p is refused", async (args, message) => {
      const { status, stderr, stdout } = await cli.run(["explain", ...args]);
      expect({ status: status === 0, stdout }).toEqual({ status: false, stdout: "" });
      expect(stderr).toContain(message);
    });
  });

  describe("diff", () => {
    test("files and settings of two images", async () => {
      const text = await cli.ok(["diff", "web:1", "web:2"]);
      expect(text).toMatch(/Env\.A\s+-\s+1\n/);
      expect(text).toMatch(/Cmd\s+\["\/bin\/sh"\]\s+\["\/bin\/x"\]/);
      expect(text).toMatch(/C\s+2.5kB\s+\/srv\/page\s+size 2kB -> 2.5kB, content\n/);
      expect(text).toMatch(/A\s+10B\s+\/tmp\/\s+1 file/);
      const found = await json<ImageComparison>("diff", "--json", "base:1", "web:1");
      expect(found.changes.map(({ kind, path }) => [kind, path])).toEqual([
        ["changed", "/etc/setting"],
        ["removed", "/opt/big"],
        ["added", "/srv/"],
      ]);
      expect(found.sharedLayers).toBe(1);
    });

    test("of one image and itself", async () => {
      expect(await cli.ok(["diff", "web:1", "web:1"])).toContain("same files and settings");
    });
  });

  describe("squash", () => {
    test("to one layer, which says what it saved", async () => {
      const text = await cli.ok(["squash", "-t", "web:small", "web:2"]);
      expect(text).toContain("Squashed 3 layers into one: web:small\n");
      expect(text).toContain("Files       110kB -> 7.51kB, 102kB saved (93.1%)\n");
      expect(await cli.ok(["diff", "web:2", "web:small"])).toContain("same files and settings");
    });

    test.each(["1", "base:1"])("--from %s keeps the base", async (from) => {
      const lines = await cli.ok(["squash", "--json", "--from", from, "-t", "web:mid", "web:2"]);
      const last = JSON.parse(lines.split("\n").at(-1) ?? "") as { aux: { squash: SquashReport } };
      expect(last.aux.squash).toMatchObject({ kept: 1, merged: 2, tags: ["web:mid"] });
      expect(last.aux.squash.after.layers).toBe(2);
      const { sharedLayers, changes } = await json<ImageComparison>(
        ...["diff", "--json", "web:2", "web:mid"],
      );
      expect({ sharedLayers, changes }).toEqual({ sharedLayers: 1, changes: [] });
    });

    const mistakes: [args: string[], message: string][] = [
      [["nosuch"], 'there is no image "nosuch" here'],
      [["base:1"], "nothing to merge"],
      [["--from", "7", "web:2"], "has no layer 7"],
      [["--from", "nosuch", "web:2"], "neither a layer of web:2 nor an image"],
      [["--from", "web:2", "web:1"], "web:1 is not made from web:2"],
      [["-t", "A b", "web:2"], "A b"],
    ];
    test.each(mistakes)("%p is refused and makes nothing", async (args, message) => {
      const before = await cli.ok(["images", "-aq"]);
      const { status, stderr } = await cli.run(["squash", ...args]);
      expect(status).not.toBe(0);
      expect(stderr).toContain(message);
      expect(await cli.ok(["images", "-aq"])).toBe(before);
    });
  });

  test("the same input and SOURCE_DATE_EPOCH give the same image in another data root", async () => {
    await using other = new ThimbleCli();
    const epoch = { SOURCE_DATE_EPOCH: "1700000000" };
    const changed = { SOURCE_DATE_EPOCH: "yesterday" };
    const refused = await other.run(["import", "-", "x:1"], { input: tarOf(base), env: changed });
    expect(refused.stderr).toContain("SOURCE_DATE_EPOCH=yesterday is not a number of seconds");
    const ids = async (one: ThimbleCli) => {
      const input = layeredArchive({ name: "web:2", layers: [base, second, third] });
      await one.ok(["load", "-q"], { input });
      await one.ok(["squash", "-t", "r:squash", "web:2"], { env: epoch });
      const scratch = ["mkimage", "-q", "-t", "r:scratch", "scratch", `${busybox}:/bin/busybox`];
      await one.ok(scratch, { env: epoch });
      await one.ok(["import", "-", "r:import"], { input: tarOf(base), env: epoch });
      const write = ["/bin/busybox", "sh", "-c", "echo new > /new; /bin/busybox mkdir /made"];
      await one.ok(["run", "--name", "changed", "--network", "none", "r:scratch", ...write]);
      await one.ok(["commit", "changed", "r:commit"], { env: epoch });
      const names = ["r:squash", "r:scratch", "r:import", "r:commit"];
      return await one.ok(["inspect", "--format", "{{.Id}} {{json .RootFS}}", ...names]);
    };
    expect(await ids(other)).toBe(await ids(cli));
  });
});
