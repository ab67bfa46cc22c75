/**
 * testcontainers for Node, with its reaper off, as its documentation says for engines where that
 * image is not at hand. Shown to pass on dockerd 28.5.2.
 */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { dockerPath, image, isRoot, openDockerTarget } from "../support/docker-cli.ts";

const program = join(import.meta.dir, "../support/testcontainers-program.ts");

describe.skipIf(!dockerPath || !isRoot)("testcontainers [needs docker CLI]", () => {
  test("waits, ports, copies, exec, networks, restart and stop", async () => {
    await using target = await openDockerTarget();
    const child = Bun.spawn([process.execPath, program, image], {
      env: { ...process.env, DOCKER_HOST: target.host, TESTCONTAINERS_RYUK_DISABLED: "true" },
      stderr: "pipe",
    });
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect(errors).toBe("");
    expect(JSON.parse(output)).toEqual({
      served: "hello",
      fetched: "hello",
      environment: 3,
      copied: "late",
      log: "ready",
      health: "ok",
      restarted: true,
    });
    expect(await target.ok(["ps", "-aq"])).toBe("");
  });
});
