/** A shell beside a container without tools, and copies, as a user types them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busybox, ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)("thimble debug and thimble cp [needs root]", () => {
  const cli = new ThimbleCli();
  beforeAll(async () => {
    const files = [`${busybox}:/sleep`, `${busybox}:/server`];
    await cli.ok(["mkimage", "-q", "-t", "bare", "scratch", ...files]);
    await cli.ok(["run", "-d", "--name", "web", "bare", "/sleep", "1000"]);
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });

  test("the tools see processes and files, and leave nothing", async () => {
    const before = await cli.ok(["diff", "web"]);
    const ps = await cli.run(["debug", "web", "--", "ps", "-o", "pid,args"]);
    expect(ps).toMatchObject({ status: 0 });
    expect(ps.stdout).toContain("1 /sleep 1000");
    const shell = await cli.run(["debug", "web"], { input: "ls -d server; exit 7" });
    expect(shell).toMatchObject({ status: 7, stdout: "server\n" });
    expect(await cli.ok(["diff", "web"])).toBe(before);
    expect(await cli.ok(["ps", "-a", "--format", "{{.Names}}"])).toBe("web");
  });

  test("cp both ways, owners with -a", async () => {
    const [sent, back] = [join(cli.directory, "sent"), join(cli.directory, "back")];
    writeFileSync(sent, "content");
    await cli.ok(["cp", sent, "web:/"]);
    expect(await cli.ok(["debug", "web", "--", "cat", "sent"])).toBe("content");
    await cli.ok(["debug", "web", "--", "chown", "7:8", "sent"]);
    await cli.ok(["cp", "-a", "web:/sent", back]);
    expect(readFileSync(back, "utf8")).toBe("content");
    expect(statSync(back)).toMatchObject({ uid: 7, gid: 8 });
  });

  test("of a container that is stopped, the tools see and keep what it would see", async () => {
    const options = ["-e", "COLOUR=red", "-w", "/work", "-u", "7:8", "-v", "data:/data"];
    await cli.ok(["create", "--name", "job", ...options, "bare", "/server"]);
    const script = 'echo "$COLOUR $PWD $(id -u):$(id -g)"; which vi; ls -d /server /data';
    const seen = await cli.ok(["debug", "job", "--", "sh", "-c", script]);
    expect(seen.split("\n")).toEqual(["red /work 7:8", "/dev/tools/bin/vi", "/data", "/server"]);
    const shell = await cli.run(["debug", "-u", "0", "job"], {
      input: "echo new > /data/file; echo fixed > /etc-fix; exit 7",
    });
    expect(shell).toMatchObject({ status: 7, stdout: "", stderr: "" });
    expect(await cli.ok(["diff", "job"])).not.toContain("tools");
    expect(await cli.ok(["diff", "job"])).toContain("A /etc-fix");
    expect(await cli.ok(["debug", "job", "--", "cat", "/data/file", "/etc-fix"])).toBe(
      "new\nfixed",
    );
    expect(await cli.ok(["rm", "job"])).toBe("job");
    await cli.ok(["volume", "rm", "data"]);
  });

  test("meanwhile it is neither started nor removed, and a copy goes into the same files", async () => {
    await cli.ok(["stop", "-t", "0", "web"]);
    const session = cli.terminal(["debug", "web"]);
    await session.until("# ");
    session.send("echo rea''dy\n");
    await session.until("ready");
    for (const verb of ["start", "rm", "debug"]) {
      const { status, stderr } = await cli.run([verb, "web"]);
      expect({ verb, status }).toEqual({ verb, status: 1 });
      expect(stderr).toContain("container web is being debugged");
    }
    expect(await cli.ok(["container", "prune", "-f"])).not.toContain("Deleted");
    const sent = join(cli.directory, "late");
    writeFileSync(sent, "late");
    await cli.ok(["cp", sent, "web:/"]);
    session.send("cat /late; exit\n");
    expect((await session.ended).stdout).toContain("late");
    await cli.ok(["start", "web"]);
    await cli.ok(["stop", "-t", "0", "web"]);
  });

  test("rm -f ends the tools; so does an engine that was killed, and the next one", async () => {
    await cli.ok(["create", "--name", "gone", "bare", "/server"]);
    const ended = cli.terminal(["debug", "gone"]);
    await ended.until("# ");
    await cli.ok(["rm", "-f", "gone"]);
    expect((await ended.ended).status).toBe(137);
    const lost = cli.terminal(["debug", "web"]);
    await lost.until("# ");
    await cli.stopEngine("SIGKILL");
    expect((await lost.ended).status).not.toBe(0);
    await cli.ok(["start", "web"]);
    expect(await cli.ok(["ps", "--format", "{{.Names}}"])).toBe("web");
    await cli.ok(["stop", "-t", "0", "web"]);
  });

  test("only tools that need no files of their own run on those of a container", async () => {
    await cli.ok(["mkimage", "-q", "-t", "tools", "scratch", `${busybox}:/bin/sh`]);
    const { status, stderr } = await cli.run(["debug", "--image", "tools", "web"]);
    expect(status).toBe(1);
    expect(stderr).toContain("statically linked /bin/busybox, which image tools does not have");
    await cli.ok(["create", "--name", "hidden", "-v", "/dev:/dev", "bare", "/server"]);
    const { stderr: refused } = await cli.run(["debug", "hidden"]);
    expect(refused).toContain("a mount of its own at /dev");
  });

  test("a container that is missing is told", async () => {
    const { status, stderr } = await cli.run(["debug", "nope"]);
    expect(status).toBe(1);
    expect(stderr).toContain("No such container: nope");
  });
});
