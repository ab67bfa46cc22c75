/**
 * The docker CLI, as scripts of commands in testdata/docker-cli: one file for each group of verbs.
 * What stands there was printed by docker 28.2.2 before dockerd 28.5.2. To record a file anew, with
 * a reference that holds nothing:
 *
 *     UPDATE=1 DOCKER_HOST=unix:///... bun test test/conformance/docker-cli.test.ts -t FILE
 *
 * Without DOCKER_HOST, UPDATE=1 writes what thimble does otherwise beside it; a reason is to be
 * added by hand, or thimble to be mended.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import {
  type Outcome,
  parseSession,
  printOutcome,
  printSession,
  type SessionStep,
  stableLines,
} from "../support/session-script.ts";

const here = describe.skipIf(!dockerPath || !isRoot);
const folder = join(import.meta.dir, "testdata/docker-cli");
const update = process.env.UPDATE === "1";

/** Leaves an engine with nothing but the image. */
const clear = `
docker ps -aq | xargs -r docker rm -fv
docker images -q --no-trunc | sort -u | grep -v "$(docker images -q --no-trunc busybox:latest)" | xargs -r docker rmi -f
docker images --format '{{.Repository}}:{{.Tag}}' | grep -v '^busybox:latest$' | xargs -r docker rmi
docker network prune -f
docker volume ls -q | xargs -r docker volume rm`;

here("the docker CLI [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
    await target.ok(["tag", image, "busybox"]);
    await target.ok(["rmi", image]);
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  async function run(command: string, directory: string): Promise<Outcome> {
    const { status, stdout, stderr } = await target.shell(command, directory);
    const lines = (latin1: string) =>
      stableLines(
        Buffer.from(latin1, "latin1")
          .toString()
          .replaceAll(directory, "<here>")
          .replaceAll(target.directory, "<engine>"),
      );
    return { status, stdout: lines(stdout), stderr: lines(stderr) };
  }

  async function replay(name: string, steps: readonly SessionStep[]): Promise<SessionStep[]> {
    const directory = join(target.directory, name);
    mkdirSync(directory);
    const seen: SessionStep[] = [];
    try {
      for (const step of steps) {
        const outcome = await run(step.command, directory);
        if (!target.ours) seen.push({ ...step, outcome });
        else if (Bun.deepEquals(outcome, step.outcome)) seen.push(without(step));
        else seen.push({ ...step, difference: { reason: step.difference?.reason ?? "", outcome } });
      }
    } finally {
      await run(clear, directory);
      rmSync(directory, { recursive: true });
    }
    return seen;
  }

  for (const file of readdirSync(folder).toSorted()) {
    test(file.replace(".session", ""), async () => {
      const path = join(folder, file);
      const steps = parseSession(readFileSync(path, "utf8"));
      const seen = await replay(file, steps);
      if (update) writeFileSync(path, printSession(seen));
      // A difference that is gone is no failure; UPDATE=1 takes it out of the file.
      else
        expect(seen.map(outcomeOf)).toEqual(
          steps.map((step, n) => outcomeOf(seen[n]?.difference ? step : without(step))),
        );
      const unexplained = seen.filter(({ difference }) => difference?.reason === "");
      expect(unexplained.map(({ command }) => command)).toEqual([]);
    });
  }
});

function without({ before, command, outcome }: SessionStep): SessionStep {
  return { before, command, outcome };
}

/** A step as it is to be answered, in the lines of a file. */
function outcomeOf({ command, outcome, difference }: SessionStep): string[] {
  return [`$ ${command}`, ...printOutcome(difference?.outcome ?? outcome)];
}
