import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/run-container.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)("long copies of volumes [needs root]", () => {
  let cli: ThimbleCli;
  let volumes: string;
  let engine: number;
  beforeAll(async () => {
    // A file system in memory shares no data.
    cli = new ThimbleCli("/dev/shm/tp-");
    await cli.ok(["volume", "create", "data"]);
    const [line = ""] = (
      await cli.ok(["volume", "inspect", "-f", "{{.Mountpoint}}", "data"])
    ).split("\n");
    volumes = join(line, "../..");
    const file = openSync(join(line, "large"), "w");
    const block = Buffer.alloc(8 << 20, "x");
    for (let n = 0; n < 96; n++) writeSync(file, block);
    closeSync(file);
    engine = Number(readFileSync(join(cli.socket, "../engine.pid"), "utf8"));
  });
  afterAll(async () => await cli?.[Symbol.asyncDispose]());

  /** Gives the status of a command that is stopped in the middle of its copy, as it can say how far that is. */
  async function stopped(args: readonly string[]): Promise<number | null> {
    for (;;) {
      const running = cli.terminal(args);
      const ended = await Promise.race([running.until("data: "), running.ended]).catch(
        () => undefined,
      );
      // Stands still, so that it cannot be over before it hears that nobody wants it.
      process.kill(engine, "SIGSTOP");
      running.send("\x03");
      const { status, stdout } = await running.ended;
      process.kill(engine, "SIGCONT");
      if (ended && status === 130) {
        expect(stdout).toMatch(/data: \d+(\.\d+)?MB/);
        return status;
      }
      if (status !== 0) return status;
      await cli.ok(["volume", "rm", args.at(-1) ?? ""]);
    }
  }

  const leftovers = () => readdirSync(join(volumes, ".making"));
  const gone = () => eventually(() => (leftovers().length === 0 ? true : undefined), "its end");

  test("a clone says on a terminal how far it is, and ctrl-c leaves nothing of it", async () => {
    expect(await stopped(["volume", "clone", "data", "copy"])).toBe(130);
    await gone();
    expect(await cli.ok(["volume", "ls", "-q"])).toBe("data");
    expect(readdirSync(volumes).filter((name) => name.startsWith("copy"))).toEqual([]);
  });

  test("an import that is stopped leaves no volume", async () => {
    const running = cli.terminal(["volume", "import", "copy", "/dev/zero"]);
    await running.until("copy: ");
    running.send("\x03");
    expect((await running.ended).status).toBe(130);
    await gone();
    expect(await cli.ok(["volume", "ls", "-q"])).toBe("data");
  });

  test("in a pipe a copy that is soon over says what it did, and draws nothing", async () => {
    const { status, stdout, stderr } = await cli.run(["volume", "snapshot", "data", "now"]);
    expect([status, stdout]).toEqual([0, "now\n"]);
    expect(stderr).not.toContain("\r");
    expect(stderr).toEndWith("were copied: the file system cannot share them\n");
  });
});
