/** `thimble why` over containers that ended, or never began, for different reasons. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxTree } from "../support/engine.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)("thimble why [needs root]", () => {
  const cli = new ThimbleCli();
  beforeAll(async () => {
    await cli.ok(["import", "-", "busybox:why"], { input: busyboxTree() });
    copyFileSync("/bin/ls", join(cli.directory, "dynamic"));
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  interface Why {
    readonly Status: string;
    readonly Findings: readonly { readonly Kind: string; readonly Says: string }[];
  }
  const why = async (name: string): Promise<Why> =>
    JSON.parse(await cli.ok(["why", "--json", name]));
  const kinds = async (name: string) => (await why(name)).Findings.map(({ Kind }) => Kind);
  const run = (name: string, ...words: string[]) =>
    cli.run(["run", "--network", "none", "--name", name, ...words]);

  test("a program that the image cannot run is told by what it lacks", async () => {
    await run(
      "lacks",
      "-v",
      `${join(cli.directory, "dynamic")}:/srv/dynamic`,
      "busybox:why",
      "/srv/dynamic",
    );
    expect(await kinds("lacks")).toEqual(["start-failed", "missing-loader"]);
    expect(await cli.ok(["why", "lacks"])).toContain("its loader /lib");
    await run("absent", "busybox:why", "absent");
    expect(await kinds("absent")).toEqual(["start-failed", "not-found"]);
  });

  test("a kill through the engine is told from one inside, and from an error", async () => {
    await run("killed", "-d", "busybox:why", "sleep", "1000");
    expect(await kinds("killed")).toEqual(["running"]);
    await cli.ok(["kill", "killed"]);
    expect(await kinds("killed")).toEqual(["stopped", "restart-policy"]);
    await run("failed", "busybox:why", "sh", "-c", "echo no database >&2; exit 3");
    expect(await cli.ok(["why", "failed"])).toContain("log: no database");
    await run("crashed", "busybox:why", "sh", "-c", "exit 139");
    expect((await why("crashed")).Findings[0]?.Says).toContain("SIGSEGV");
  });

  test("looking changes nothing, and a name that nobody has is an error", async () => {
    await cli.ok(["create", "--network", "none", "--name", "new", "busybox:why", "true"]);
    expect(await kinds("new")).toEqual(["created"]);
    expect(await cli.ok(["inspect", "-f", "{{.State.Status}}", "new"])).toBe("created");
    expect(await cli.run(["why", "nobody"])).toMatchObject({ status: 1, stdout: "" });
  });
});
