import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRoot } from "../support/docker-cli.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

describe.skipIf(!isRoot)("a compose project [needs root]", () => {
  let cli: ThimbleCli;
  beforeAll(async () => {
    cli = new ThimbleCli();
    await cli.importBusybox("box:1");
  });
  afterAll(async () => {
    await cli?.[Symbol.asyncDispose]();
  });

  const services = [..."abcd"];
  const compose = ["compose", "-p", "p"];

  function write(extra: string): void {
    const text = `{image: "box:1", command: [sleep, "1000"], stop_signal: SIGKILL${extra}}`;
    const parts = services.map((name) => `  ${name}: ${text}\n`).join("");
    const file = `services:\n${parts}volumes: {unused: {}}\n`;
    writeFileSync(join(cli.directory, "compose.yaml"), file);
  }

  async function states(): Promise<string[]> {
    const lines = await cli.ok(["ps", "-a", "--format", "{{.Names}} {{.State}}"]);
    return lines.split("\n").filter(Boolean).toSorted();
  }

  const all = services.map((name) => `p-${name}-1 running`);
  /** What is done to the files before, the call, and the word of its output at which it is broken off. */
  const calls = [
    ["", ["up", "-d"], "  Created"],
    [", init: true", ["up", "-d"], "  Recreate\n"],
    [", init: true", ["down"], "  Removed"],
  ] as const;

  for (const victim of ["client", "engine"] as const)
    test(`goes on where a killed ${victim} left it`, async () => {
      for (const [extra, args, word] of calls) {
        write(extra);
        const call = cli.start([...compose, ...args]);
        await call.until(word);
        if (victim === "client") call.signal("SIGKILL");
        else await cli.stopEngine("SIGKILL");
        await call.ended;
        await cli.ok([...compose, ...args]);
        expect(await states()).toEqual(args[0] === "up" ? all : []);
        expect(await cli.ok([...compose, "plan"])).toEndWith(
          args[0] === "up" ? "\n5 to keep" : "\n5 to create",
        );
      }
      expect(await cli.ok(["network", "ls", "-q", "--filter", "type=custom"])).toBe("");
    });
});
