/** An engine that is killed while contexts are sent to it: what is half there is sent again, and nothing is left. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openEngineAt, temporaryRoots } from "../support/engine.ts";
import { uploadKey, uploadLines, uploadOf } from "../support/upload.ts";

test("killed in the middle of two uploads", async () => {
  using roots = temporaryRoots();
  const { dataRoot, runRoot } = roots;
  const victim = join(import.meta.dirname, "upload-victim.ts");
  const child = Bun.spawn([process.execPath, victim, dataRoot, runRoot], {
    ...{ stdout: "pipe", stderr: "inherit" },
  });
  const { value } = await child.stdout.getReader().read();
  expect(Buffer.from(value ?? []).toString()).toBe("half\n");
  child.kill("SIGKILL");
  await child.exited;

  await using opened = await openEngineAt(roots);
  const builder = await opened.engine.builds.builder();
  expect(readdirSync(join(dataRoot, "build/archives"))).toEqual([]);
  await using transfer = await builder.contexts.begin(uploadKey, uploadLines());
  const wanted = [...transfer.wanted];
  // The first may be there as a whole.
  expect(wanted.slice(-2)).toEqual([1, 2]);
  await transfer.fill(uploadOf(wanted));
  const context = transfer.take();
  const seen = ["first", "second", "third"].map((name) => {
    const text = readFileSync(join(context.directory, name), "latin1");
    return `${text[0]} ${text.length} ${/^(.)\1*$/.test(text)}`;
  });
  expect(seen).toEqual(["f", "s", "t"].map((letter) => `${letter} ${3 << 20} true`));
  await context[Symbol.asyncDispose]();
  await builder.prune({ all: true });
  expect(readdirSync(join(dataRoot, "build/contexts"))).toEqual([]);
});
