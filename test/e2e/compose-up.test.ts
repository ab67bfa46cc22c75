import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRoot } from "../support/docker-cli.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

describe.skipIf(!isRoot)("an attached compose up [needs root]", () => {
  let cli: ThimbleCli;
  beforeAll(async () => {
    cli = new ThimbleCli();
    await cli.importBusybox("box:1");
  });
  afterAll(async () => {
    await cli?.[Symbol.asyncDispose]();
  });

  const write = (text: string) => writeFileSync(join(cli.directory, "compose.yaml"), text);
  const states = async () =>
    (await cli.ok(["ps", "-a", "--format", "{{.Names}} {{.Status}}"]))
      .split("\n")
      .map((line) => line.replace(/ \d+ seconds? ago| Less than.*$/, ""))
      .toSorted();

  const stubborn = "trap 'echo stays' TERM; echo began; while :; do sleep 0.1; done";

  test("is stopped by ctrl-c, and killed by a second one", async () => {
    write(`services:
  a: {image: "box:1", command: [sh, -c, "${stubborn}"], stop_grace_period: 60s}
  b: {image: "box:1", command: [sh, -c, "echo hi; echo no newline >&2; exit 3"]}
`);
    const call = cli.start(["compose", "-p", "p", "up"]);
    await call.until("a-1  | began");
    await call.until("b-1 exited with code 3");
    await call.until("b-1  | hi\n");
    call.signal("SIGINT");
    await call.until("a-1  | stays");
    call.signal("SIGINT");
    const { status, stdout } = await call.ended;
    expect(status).toBe(130);
    expect(stdout).toStartWith("Attaching to a-1, b-1\n");
    expect(stdout).toContain("b-1  | hi\n");
    expect(stdout).toContain("Gracefully Stopping... press Ctrl+C again to force\n");
    expect(await states()).toEqual(["p-a-1 Exited (137)", "p-b-1 Exited (3)"]);
  });

  test("ends with a service whose exit code counts", async () => {
    write(`services:
  a: {image: "box:1", command: [sleep, "1000"], stop_signal: SIGKILL}
  b: {image: "box:1", command: [sh, -c, "echo hi; exit 3"]}
`);
    const words = ["compose", "-p", "p", "up", "--exit-code-from", "b", "--no-log-prefix"];
    const { status, stdout, stderr } = await cli.run(words);
    expect(status).toBe(3);
    expect(stdout).toContain("\nhi\n");
    expect(stderr).toContain("Aborting on container exit...\n");
    expect(await states()).toEqual(["p-a-1 Exited (137)", "p-b-1 Exited (3)"]);
  });
});
