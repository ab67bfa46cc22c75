/** Builds on a disk that becomes full: told in words, nothing half done stays, and smaller ones go on. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountAll } from "#kernel";
import { rejection } from "../../src/base/testing.ts";
import { importBusybox, type OpenedEngine, openEngineAt } from "../support/engine.ts";

const mib = 1 << 20;
let directory: string;
let mounted: AsyncDisposable;
let opened: OpenedEngine;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "tf-"));
  const dataRoot = join(directory, "data");
  mkdirSync(dataRoot);
  const tmpfs = { type: "tmpfs", source: "tmpfs", options: ["size=48m"] };
  mounted = await mountAll([tmpfs], dataRoot);
  opened = await openEngineAt({ dataRoot, runRoot: join(directory, "run") });
  await importBusybox(opened.engine);
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
  await mounted[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function build(command: string): Promise<void> {
  const builder = await opened.engine.builds.builder();
  await using _made = await builder.build({
    dockerfile: {
      text: `FROM busybox\nRUN echo kept > /kept\nRUN ${command}\n`,
      name: "Dockerfile",
    },
    report: () => undefined,
    signal: new AbortController().signal,
  });
}

const free = () => {
  const { bavail, bsize } = statfsSync(join(directory, "data"));
  return bavail * bsize;
};

test.each([
  ["while the step runs", "cat /dev/zero > /big", "did not complete successfully: exit code: 1"],
  [
    "while its layer is packed",
    "head -c 28000000 /dev/urandom > /big",
    "no space left on the device; make room where the engine keeps its data",
  ],
])("full %s", async (_, command, message) => {
  await build("true");
  const before = free();
  const fault = await rejection(build(command));
  expect(fault).toMatchObject({ message: expect.stringContaining(message) });
  // The files of the step go in the background.
  while (free() < before - mib) await Bun.sleep(5);
  await build(`echo again ${command.length} > /small`);
});
