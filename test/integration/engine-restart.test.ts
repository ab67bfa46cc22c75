import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createLog } from "#base";
import { mountAll } from "#kernel";
import { createRequest } from "../support/create-request.ts";
import { importBusybox, openEngineAt, type TestRoots, temporaryRoots } from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import {
  attachAll,
  collectOutput,
  collectStreams,
  execIn,
  startSleeper,
} from "../support/run-container.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  await using opened = await openEngineAt(roots);
  await importBusybox(opened.engine);
});

afterAll(async () => {
  {
    await using opened = await openEngineAt(roots);
    for (const { id } of opened.engine.containers.list({ all: true, filters: {} })) {
      await opened.engine.containers.remove(id, { force: true, volumes: false });
    }
  }
  roots[Symbol.dispose]();
  await leaks.settled();
});

test("a container runs on while the engine is restarted, and is all there afterwards", async () => {
  const ids: string[] = [];
  {
    await using opened = await openEngineAt(roots);
    const { id } = await opened.engine.containers.create(
      createRequest("busybox", ["cat"], { name: "kept", config: { OpenStdin: true } }),
    );
    await opened.engine.containers.start(id);
    ids.push(id, await startSleeper(opened.engine, { name: "other" }));
  }
  await using opened = await openEngineAt(roots);
  const { engine } = opened;
  const [kept = "", other = ""] = ids;
  const { state, networks } = engine.containers.get(kept);
  expect(state.status).toBe("running");
  expect(existsSync(`/proc/${state.pid}`)).toBe(true);

  const attached = await engine.containers.attach(kept, attachAll(true));
  const output = collectStreams(attached);
  attached.input.write("still here\n");
  expect((await execIn(engine, kept, ["hostname"])).stdout).toBe(`${kept.slice(0, 12)}\n`);
  // A new container gets an address that none of the old ones has.
  const fresh = await startSleeper(engine);
  const addresses = [kept, other, fresh].map(
    (id) => engine.containers.get(id).networks[0]?.address,
  );
  expect(new Set(addresses).size).toBe(3);
  expect(networks[0]?.address).toMatch(/^\d+\./);

  await engine.containers.stop(kept, { timeout: 0 });
  expect((await output).stdout).toBe("still here\n");
  expect(engine.containers.get(kept).state).toMatchObject({ status: "exited", exitCode: 137 });
  const log = engine.containers.logs(kept, {
    follow: false,
    stdout: true,
    stderr: true,
    timestamps: false,
  });
  expect((await collectOutput(log)).stdout).toBe("still here\n");
  await engine.containers.start(kept);
  expect(engine.containers.get(kept).state.status).toBe("running");
});

const golden = join(import.meta.dirname, "../../src/engine/containers/testdata/row");
const script =
  "id -u; pwd; echo $A; cat /a/mark; touch /a/no; touch /b/yes; ls -l /dev/mine | head -c 1";

/** Puts a row as an earlier program wrote it in the place of a container's, over the same snapshot and image. */
function writeRow(id: string, version: string): void {
  const row = JSON.parse(readFileSync(join(golden, `${version}.json`), "utf8"));
  const text = JSON.stringify(row.definition).replaceAll("/srv/", `${roots.dataRoot}/bind-`);
  const definition = JSON.parse(text);
  const config = definition.config ?? definition.sent.Config;
  config[definition.config ? "cmd" : "Cmd"] = ["-c", script];
  if (definition.argv) definition.argv = ["sh", "-c", script];
  using database = new Database(join(roots.dataRoot, "state.db"));
  const { definition: now } = database
    .query<{ definition: string }, [string]>("SELECT definition FROM container WHERE id = ?")
    .get(id) ?? { definition: "{}" };
  const { imageId, chainId, root } = JSON.parse(now);
  database.run("UPDATE container SET name = ?, definition = ?, course = ? WHERE id = ?", [
    ...[row.name, JSON.stringify({ ...definition, imageId, chainId, root })],
    ...[JSON.stringify(row.course), id],
  ]);
}

test.each(readdirSync(golden).map((file) => file.replace(".json", "")))(
  "a container that version %s of the row holds starts, as it was asked for",
  async (version) => {
    using shared = new DisposableStack();
    for (const name of ["a", "b"]) {
      const path = `${roots.dataRoot}/bind-${name}`;
      mkdirSync(path, { recursive: true });
      // A bind may ask for the mounts of its source, which the host's own mount may keep to itself.
      execFileSync("mount", ["--bind", "--make-shared", path, path]);
      shared.defer(() => execFileSync("umount", [path]));
    }
    writeFileSync(`${roots.dataRoot}/bind-a/mark`, "marked\n");
    chmodSync(`${roots.dataRoot}/bind-b`, 0o777);
    let id = "";
    {
      await using opened = await openEngineAt(roots);
      ({ id } = await opened.engine.containers.create(createRequest("busybox", ["true"])));
    }
    writeRow(id, version);
    await using opened = await openEngineAt(roots);
    const { engine } = opened;
    expect(engine.containers.get(id).state).toMatchObject({ status: "exited", exitCode: 3 });
    const attached = await engine.containers.attach(id, attachAll(false));
    const output = collectStreams(attached);
    const { result } = await engine.containers.wait(id, "next-exit");
    await engine.containers.start(id);
    expect((await output).stdout.replaceAll("\r", "")).toBe(
      "7\n/w\nb\nmarked\ntouch: /a/no: Read-only file system\nc",
    );
    expect((await result).exitCode).toBe(0);
    expect(existsSync(`${roots.dataRoot}/bind-b/yes`)).toBe(true);
    rmSync(`${roots.dataRoot}/bind-b/yes`);
    const { state } = engine.containers.get(id);
    expect(state).toMatchObject({ status: "exited", exitCode: 0, error: "" });
    await engine.containers.remove(id, { force: false, volumes: false });
  },
);

test("after a start of the machine nothing runs, and --rm is honoured", async () => {
  const ids: string[] = [];
  {
    await using opened = await openEngineAt(roots);
    ids.push(await startSleeper(opened.engine, { name: "plain" }));
    ids.push(await startSleeper(opened.engine, { host: { AutoRemove: true } }));
  }
  const database = new Database(join(roots.dataRoot, "state.db"));
  database.run("UPDATE state_value SET value = 'another boot' WHERE name = 'boot-id'");
  database.close();
  await using opened = await openEngineAt(roots);
  const { state } = opened.engine.containers.get("plain");
  expect(state).toMatchObject({ status: "exited", exitCode: 137, pid: 0 });
  expect(state.error).toContain("was restarted");
  expect(() => opened.engine.containers.get(ids[1] ?? "")).toThrow("No such container");
});

test("an image that a killed engine had mounted to be looked at is unmounted", async () => {
  await (await openEngineAt(roots))[Symbol.asyncDispose]();
  const left = join(roots.runRoot, "views", "view-left");
  mkdirSync(left);
  mkdirSync(join(roots.runRoot, "views", "view-empty"));
  await mountAll([{ type: "tmpfs", source: "tmpfs", options: [] }], left);
  await using _opened = await openEngineAt(roots);
  expect(readdirSync(join(roots.runRoot, "views"))).toEqual([]);
});

test("the log of the engine tells of lost data", async () => {
  using own = temporaryRoots();
  {
    await using opened = await openEngineAt(own);
    await importBusybox(opened.engine);
  }
  for (const place of ["snapshots", "content/blobs/sha256"]) {
    rmSync(join(own.dataRoot, place), { recursive: true });
  }
  const lines: string[] = [];
  await using _opened = await openEngineAt(own, {
    log: createLog("warn", (line) => void lines.push(line)),
  });
  expect(lines.join("")).toContain("an image's layers are lost; pull or load it again");
});
