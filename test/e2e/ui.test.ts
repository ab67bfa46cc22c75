/** `thimble ui` in a terminal, seen through a terminal emulator. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { busyboxTree } from "../support/engine.ts";
import { TerminalScreen } from "../support/terminal-screen.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;
const image = "busybox:ui";
const size = { rows: 24, columns: 100 };

describe.skipIf(!isRoot)("thimble ui [needs root]", () => {
  const cli = new ThimbleCli();
  const run = (name: string, script: string) =>
    cli.ok(["run", "-d", "--name", name, "--network", "none", image, "sh", "-c", script]);

  beforeAll(async () => {
    await cli.ok(["import", "-", image], { input: busyboxTree() });
    await run("web", "echo hello from web; exec sleep 1000");
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  test("it shows, follows and changes what the engine has, and gives the terminal back", async () => {
    const program = cli.terminal(["ui"], { ...size, env: { TERM: "xterm" } });
    const screen = new TerminalScreen(program, size);
    const first = await screen.until(/hello from web/);
    expect(first).toContain("1 containers (1)");
    expect(first).toMatch(/> web +Up /);
    expect(screen.isAlternate).toBe(true);

    // An event of the engine changes the list, without a key.
    await run("other", "exec sleep 1000");
    await screen.until(/containers \(2\)[\s\S]*other/);

    await screen.until(/Memory +[\d.]+[KM]iB/, "j]");
    await screen.until(/been running for/, "]");
    await screen.until(/busybox:ui[\s\S]*For +linux/, "\t");

    screen.resize({ rows: 12, columns: 50 });
    await screen.until(/^(?![\s\S]*For +linux)[\s\S]*images \(1\)/);
    screen.resize(size);
    await screen.until(/For +linux/);

    await screen.until(/s {2}stop/, "1x");
    await screen.until(/remove web\?|remove other\?/, "d");
    await screen.until(/containers \(1\)/, "y");

    await screen.until(/# $/m, "e");
    expect(screen.isAlternate).toBe(false);
    await screen.until(/^42$/m, "echo $((6 * 7))\r");
    await screen.until(/containers \(1\)/, "exit\r");

    await screen.untilLeft("q");
    expect(await program.ended).toMatchObject({ status: 0 });
  });

  test("ctrl-c ends it as well, colours are left out, and without a terminal it says so", async () => {
    const program = cli.terminal(["ui"], { ...size, env: { TERM: "xterm", NO_COLOR: "1" } });
    const screen = new TerminalScreen(program, size);
    await screen.until(/> (web|other) +Up /);
    await screen.untilLeft("\u0003");
    const { status, stdout } = await program.ended;
    expect(status).toBe(0);
    expect(stdout).not.toMatch(/\[3\dm/);
    expect(await cli.run(["ui"])).toMatchObject({ status: 1, stdout: "" });
  });
});
