import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import type { BuildCacheRecord } from "#wire";
import { runCli } from "../run-cli.ts";
import { testOptions } from "../testing.ts";

const directory = mkdtempSync("/tmp/thimble-builder-");
const socket = join(directory, "engine.sock");

function record(change: Partial<BuildCacheRecord>): BuildCacheRecord {
  return {
    ID: "a",
    Parents: null,
    Type: "regular",
    Description: "[1/2] RUN make",
    InUse: false,
    Shared: false,
    Size: 1000,
    CreatedAt: "2026-01-02T03:04:05Z",
    LastUsedAt: null,
    UsageCount: 2,
    ...change,
  };
}

let asked: string[] = [];
beforeEach(() => {
  asked = [];
});
const server = createServer(({ method, url = "" }, response) => {
  asked.push(`${method} ${url.replace(/^\/v[\d.]+/, "")}`);
  const BuildCache = [record({ ID: "b", Size: 2_500_000, InUse: true }), record({})];
  const answer = url.includes("/build/prune")
    ? { CachesDeleted: ["a"], SpaceReclaimed: 1000 }
    : { LayersSize: 0, Images: [], Containers: [], Volumes: [], BuildCache };
  response.end(JSON.stringify(answer));
});
await new Promise<void>((resolve) => server.listen(socket, resolve));
afterAll(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

async function run(line: string) {
  const env = { DOCKER_HOST: `unix://${socket}` };
  const { options, stdout, stderr } = testOptions({ env });
  const status = await runCli(line.split(" "), options);
  return { status, out: stdout.text, err: stderr.text };
}

test("du lists the records, the smallest first, and their sum", async () => {
  const { out } = await run("builder du");
  expect(out).toBe(
    [
      "ID        RECLAIMABLE   SIZE      LAST ACCESSED",
      "a         true          1kB       ",
      "b         false         2.5MB     ",
      "Reclaimable:\t1kB",
      "Total:\t\t2.501MB",
      "",
    ].join("\n"),
  );
  expect((await run("buildx du --filter inuse=true --verbose")).out).toStartWith(
    "ID:           b\n",
  );
  expect((await run("buildx du --filter color=red")).err).toContain("invalid filter 'color'");
});

test("prune asks first, and passes limits on", async () => {
  expect((await run("builder prune")).out).toContain("This will remove all dangling build cache.");
  expect(asked).toEqual([]);
  const { out } = await run("buildx prune -af --max-used-space 1k --filter until=24h");
  expect(out).toContain("a         true          1kB");
  expect(out).toEndWith("Total:\t1kB\n");
  const filters = encodeURIComponent('{"until":["24h"]}');
  expect(asked.at(-1)).toBe(`POST /build/prune?all=1&filters=${filters}&max-used-space=1024`);
});

test("another builder than the engine is refused", async () => {
  expect((await run("builder du --builder other")).err).toContain('no builder "other" found');
});
