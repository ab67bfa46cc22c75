/** The units of `thimble daemon install`, judged by systemd's own tools, and socket activation. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ThimbleCli } from "../support/thimble-cli.ts";

const clone = join(import.meta.dir, "../..");
const isRoot = process.getuid?.() === 0;
const systemd = Bun.which("systemd-analyze") && Bun.which("systemctl");

describe.skipIf(!isRoot || !systemd)("the engine under systemd [needs systemd]", () => {
  const root = mkdtempSync(join(tmpdir(), "thimble-root-"));
  afterAll(() => rmSync(root, { recursive: true }));
  const thimble = (...args: string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([join(clone, "thimble"), ...args]);
    return { status: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  };
  const units = join(root, "etc/systemd/system");

  test("its units are right, enabled, and gone after uninstall", () => {
    const rehearsed = thimble("daemon", "install", "--root", root, "--dry-run");
    expect([rehearsed.status, existsSync(units)]).toEqual([0, false]);
    expect(rehearsed.stdout).toContain("    KillMode=process\n");
    expect(thimble("daemon", "install", "--root", root)).toMatchObject({ status: 0, stderr: "" });
    const enabled = join(units, "sockets.target.wants/thimble.socket");
    expect(readlinkSync(enabled)).toEndWith("/etc/systemd/system/thimble.socket");
    const files = ["thimble.socket", "thimble.service"].map((name) => join(units, name));
    const verified = Bun.spawnSync(["systemd-analyze", "verify", "--man=no", ...files]);
    const judged = verified.stderr
      .toString()
      .split("\n")
      .filter((line) => line.includes("thimble"));
    expect([verified.exitCode, judged]).toEqual([0, []]);
    const undone = thimble("daemon", "uninstall", "--root", root);
    expect([undone.status, undone.stdout]).toEqual([0, expect.stringContaining("What stays:")]);
    expect([existsSync(enabled), ...files.map((file) => existsSync(file))]).toEqual([
      false,
      false,
      false,
    ]);
    expect(thimble("daemon", "uninstall", "--root", root).stdout).toStartWith(
      "Nothing was installed.",
    );
  });

  test("units of someone else stay", () => {
    mkdirSync(units, { recursive: true });
    writeFileSync(join(units, "thimble.service"), "[Service]\nExecStart=/bin/true\n");
    const { status, stderr } = thimble("daemon", "install", "--root", root);
    expect([status, stderr]).toEqual([1, expect.stringContaining("was not written by")]);
  });

  test("a socket of systemd's starts it, and stays after it", async () => {
    await using cli = new ThimbleCli();
    const { directory } = cli;
    const roots = ["--data-root", join(directory, "data"), "--run-root", join(directory, "run")];
    const socket = join(directory, "activated.sock");
    const command = [join(clone, "thimble"), "daemon", ...roots, "-H", "fd://"];
    const activator = Bun.spawn(["systemd-socket-activate", "-l", socket, ...command], {
      stdout: "ignore",
      stderr: "pipe",
    });
    const ask = async () =>
      await fetch("http://d/version", { unix: socket }).catch(() => undefined);
    // Its path is there a moment before it can be connected to.
    let answer = await ask();
    for (; !answer && activator.exitCode === null; answer = await ask()) await Bun.sleep(10);
    expect(await answer?.json()).toMatchObject({ Platform: { Name: "thimble" } });
    activator.kill("SIGTERM");
    expect(await activator.stderr.text()).toContain("socket=fd://3");
    await activator.exited;
    expect(existsSync(socket)).toBe(true);
  });
});
