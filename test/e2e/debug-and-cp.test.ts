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

  test("the files of a container that is stopped are shown, and its image goes again", async () => {
    await cli.ok(["stop", "-t", "0", "web"]);
    const before = await cli.ok(["images", "-a", "-q"]);
    expect(await cli.ok(["debug", "web", "--", "cat", "sent"])).toBe("content");
    expect(await cli.ok(["images", "-a", "-q"])).toBe(before);
    const { status, stderr } = await cli.run(["debug", "nope"]);
    expect(status).toBe(1);
    expect(stderr).toContain("No such container: nope");
  });
});
