import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createKey } from "#chunk";
import type { BackupRequest, BackupStep, Engine, EngineEvent, RestoreRequest } from "#engine";
import { openState } from "#state";
import { outcome } from "../../src/base/testing.ts";
import { randomBytes } from "../../src/chunk/testing.ts";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import {
  dockerRegistryPath,
  type RunningRegistry,
  startDockerRegistry,
  startRegistry,
} from "../support/registry-process.ts";
import { startSleeper } from "../support/run-container.ts";
import { findS3Server, type S3Server } from "../support/s3-server.ts";
import { describeTree } from "../support/tree.ts";

const owner = { uid: 0, gid: 0 };
const { signal } = new AbortController();
let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let opened: OpenedEngine;
let engine: Engine;
let registry: RunningRegistry;
let s3: S3Server;

beforeAll(async () => {
  // Before the engine, in whose cgroup they would be otherwise.
  registry = await startRegistry([]);
  s3 = await findS3Server();
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  engine = opened.engine;
});

afterAll(async () => {
  await engine.volumes.prune({ all: ["true"] });
  await opened[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

/** A volume with 9 MB that do not compress, and some other files. */
async function makeVolume(name: string): Promise<string> {
  const { path } = await engine.volumes.create({ name, owner, labels: { of: name } });
  writeFileSync(join(path, "big"), randomBytes(9_000_000, "big"));
  mkdirSync(join(path, "sub"), { mode: 0o700 });
  writeFileSync(join(path, "sub/.wh.text"), "hello\n".repeat(1000), { mode: 0o640 });
  return path;
}

/** Another megabyte in the middle of the large file. */
function change(path: string): void {
  const big = readFileSync(join(path, "big"));
  const edit = randomBytes(50_000, "edit");
  writeFileSync(join(path, "big"), Buffer.concat([big.subarray(0, 1e6), edit, big.subarray(1e6)]));
}

/** A recipient of age whose identity nobody has. */
const anyone = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const bucketAccess = () => ({ ...s3.credentials, endpoint: s3.endpoint });
const places = {
  directory: () => ({ text: join(roots.dataRoot, "../backups") }),
  registry: () => ({ text: `${registry.host}/team/backups` }),
  bucket: () => ({ text: `s3://${s3.bucket}/some/where`, bucket: bucketAccess() }),
} as const;

async function backUp(request: Omit<BackupRequest, "retention"> & Partial<BackupRequest>) {
  return await engine.backups.create({ retention: {}, ...request }, () => undefined, signal);
}

async function restore(request: Omit<RestoreRequest, "owner" | "replaces">) {
  const full = { owner, replaces: false, ...request };
  return await engine.backups.restore(full, () => undefined, signal);
}

test.each(["directory", "registry", "bucket"] as const)(
  "a volume comes back from a %s, and of a changed one the change alone is sent",
  async (kind) => {
    const place = places[kind]();
    const [name, back] = [`v-${kind}`, `back-${kind}`];
    const path = await makeVolume(name);
    const first = await backUp({ volume: name, place });
    expect(first.sent).toBeGreaterThan(9_000_000);
    expect(first.tag).toStartWith(`${name}-2`);
    const original = describeTree(path);
    change(path);
    const second = await backUp({ volume: name, place });
    expect(second.sent).toBeGreaterThan(50_000);
    expect(second.sent).toBeLessThan(300_000);
    const listed = await engine.backups.list(place, signal);
    expect(listed.map(({ tag }) => tag)).toEqual([second.tag, first.tag]);
    const restored = await restore({ volume: back, place });
    expect(restored.tag).toBe(second.tag);
    expect(describeTree(engine.volumes.get(back).path)).toEqual(describeTree(path));
    expect(engine.volumes.get(back).labels).toEqual({ of: name });
    expect(await outcome(restore({ volume: back, place }))).toThrow("has files already");
    await engine.backups.restore(
      { volume: back, place, tag: first.tag, owner, replaces: true },
      () => undefined,
      signal,
    );
    expect(describeTree(engine.volumes.get(back).path)).toEqual(original);
    const third = await backUp({ volume: name, place, retention: { last: 1 } });
    expect(third.sent).toBeLessThan(10_000);
    expect(third.removed).toEqual([second.tag, first.tag]);
    expect((await engine.backups.list(place, signal)).map(({ tag }) => tag)).toEqual([third.tag]);
    for (const volume of [name, back]) await engine.volumes.remove(volume, { force: false });
  },
  60_000,
);

test.skipIf(dockerRegistryPath === null)(
  "Debian's docker-registry keeps volumes too [needs docker-registry]",
  async () => {
    await using other = await startDockerRegistry();
    const place = { text: `${other.host}/volumes/data` };
    const path = await makeVolume("pushed");
    await backUp({ volume: "pushed", place, tag: "v1" });
    const original = describeTree(path);
    change(path);
    const { sent } = await backUp({ volume: "pushed", place, tag: "v2" });
    expect(sent).toBeLessThan(300_000);
    await restore({ volume: "pulled", place: { text: `${place.text}:v1` } });
    expect(describeTree(engine.volumes.get("pulled").path)).toEqual(original);
  },
);

test("an encrypted backup is for its holders, and shares what did not change", async () => {
  const path = await makeVolume("secret");
  const place = { text: `${registry.host}/team/secret` };
  const { key: holder } = await createKey({ recipients: [anyone] });
  const holders = { recipients: [holder.recipient] };
  await backUp({ volume: "secret", place, tag: "v1", holders });
  change(path);
  const second = await backUp({ volume: "secret", place, tag: "v1", holders });
  expect(second.sent).toBeLessThan(300_000);
  await restore({ volume: "secret-here", place, tag: "v1" });
  expect(describeTree(engine.volumes.get("secret-here").path)).toEqual(describeTree(path));
  const original = describeTree(path);
  await opened[Symbol.asyncDispose]();
  using elsewhere = temporaryRoots();
  const stranger = await openEngineAt(elsewhere);
  const attempt = (opener: RestoreRequest["opener"]) =>
    stranger.engine.backups.restore(
      { volume: "got", place, tag: "v1", owner, replaces: false, opener },
      () => undefined,
      signal,
    );
  expect(await outcome(attempt(undefined))).toThrow("the backup is encrypted: give an identity");
  const { key: other } = await createKey({ recipients: [anyone] });
  const wrong = attempt({ identities: [other.identity] });
  expect(await outcome(wrong)).toThrow("not for the identities given");
  expect((await stranger.engine.volumes.list({})).volumes).toEqual([]);
  await attempt({ identities: [holder.identity] });
  expect(describeTree(stranger.engine.volumes.get("got").path)).toEqual(original);
  await stranger[Symbol.asyncDispose]();
  opened = await openEngineAt(roots);
  engine = opened.engine;
  expect((await backUp({ volume: "secret", place, tag: "v1", holders })).sent).toBeLessThan(10_000);
}, 600_000);

test("a backup that was cut or altered restores nothing, and says why", async () => {
  await makeVolume("victim");
  const place = { text: join(roots.dataRoot, "../altered") };
  await backUp({ volume: "victim", place });
  const blobs = join(place.text, "blobs/sha256");
  const whole = join(roots.dataRoot, "../whole");
  cpSync(blobs, whole, { recursive: true });
  for (const name of readdirSync(whole)) {
    const bytes = readFileSync(join(whole, name));
    writeFileSync(join(blobs, name), bytes.subarray(0, bytes.length - 1));
    expect(await outcome(restore({ volume: "new", place }))).toThrow("cannot restore new from /");
    rmSync(join(blobs, name));
    expect(await outcome(restore({ volume: "new", place }))).toThrow("cannot restore new from /");
    writeFileSync(join(blobs, name), bytes);
  }
  expect((await engine.volumes.list({ name: ["^new$"] })).volumes).toEqual([]);
  await restore({ volume: "new", place });
});

test("what was sent before a failure is not sent again", async () => {
  await makeVolume("broken");
  const place = { text: `${registry.host}/team/broken` };
  const stop = new AbortController();
  const steps: BackupStep[] = [];
  const holders = {
    recipients: [anyone],
  };
  const { path } = engine.volumes.get("broken");
  for (const name of ["a", "b", "c", "d"])
    writeFileSync(join(path, name), crypto.getRandomValues(Buffer.alloc(9_000_000)));
  const request = { volume: "broken", place, tag: "v1", holders, retention: {} };
  const report = (step: BackupStep) => {
    steps.push(step);
    if (step.step === "sending" && step.current > 0) stop.abort();
  };
  expect(await outcome(engine.backups.create(request, report, stop.signal))).toThrow("canceled");
  const before = Math.max(...steps.map(({ step, current }) => (step === "sending" ? current : 0)));
  expect(before).toBeGreaterThan(16_000_000);
  const { size, sent } = await backUp(request);
  expect(sent).toBeLessThan(size - before + 1_000_000);
}, 600_000);

/** Opens the engine again, with the schedule due since an hour; settles with the event of its run. */
async function reopenOverdue(action: string): Promise<EngineEvent> {
  await opened[Symbol.asyncDispose]();
  {
    using state = openState(join(roots.dataRoot, "state.db"));
    state.run("UPDATE backup_schedule SET next = ?", Date.now() - 3600_000);
  }
  opened = await openEngineAt(roots);
  engine = opened.engine;
  const filters = { type: ["volume"], event: [action] };
  const stop = new AbortController();
  for await (const event of engine.events.subscribe({ since: 1n, filters, signal: stop.signal }))
    return event;
  throw new Error("the events ended");
}

test("a scheduled backup that was missed is made once at the start, and a failure is told", async () => {
  const path = await makeVolume("often");
  const place = { text: join(roots.dataRoot, "../often") };
  const first = await backUp({ volume: "often", place, every: 3600, retention: { last: 1 } });
  expect(engine.backups.schedules()).toMatchObject([
    { volume: "often", destination: place.text, every: 3600, tag: first.tag },
  ]);
  change(path);
  const event = await reopenOverdue("backup");
  expect(event).toMatchObject({ id: "often", attributes: { destination: place.text } });
  const [backup, ...others] = await engine.backups.list(place, signal);
  expect(others).toEqual([]);
  expect(backup?.tag).toBe(event.attributes.tag ?? "");
  rmSync(join(place.text, "oci-layout"));
  const failed = await reopenOverdue("backup-failed");
  expect(failed.attributes.error).toContain("it has files of others");
  await engine.backups.unschedule("often", place.text);
  expect(engine.backups.schedules()).toEqual([]);
}, 600_000);

test("a restore that is cancelled leaves neither a volume nor what came", async () => {
  await makeVolume("long");
  const place = { text: `${registry.host}/team/long` };
  await backUp({ volume: "long", place, tag: "v1" });
  const stop = new AbortController();
  const request = { volume: "cancelled", place, tag: "v1", owner, replaces: false };
  const report = ({ step }: BackupStep) => {
    if (step === "fetching") stop.abort();
  };
  const restored = engine.backups.restore(request, report, stop.signal);
  expect(await outcome(restored)).toThrow("canceled");
  expect((await engine.volumes.list({ name: ["^cancelled$"] })).volumes).toEqual([]);
  for (const each of readdirSync(join(roots.dataRoot, "backups")))
    expect(readdirSync(join(roots.dataRoot, "backups", each))).not.toContain("spool");
});

test("files of a running container may be torn, which is said, but for a backup of a snapshot", async () => {
  const path = await makeVolume("used");
  await importBusybox(engine);
  const container = await startSleeper(engine, { host: { Binds: ["used:/data"] } });
  const place = { text: join(roots.dataRoot, "../used") };
  expect((await backUp({ volume: "used", place })).warnings).toEqual([
    expect.stringContaining("may be torn in the backup; back up from a snapshot (--snapshot)"),
  ]);
  expect((await backUp({ volume: "used", place, fromSnapshot: true })).warnings).toEqual([]);
  expect(engine.volumes.snapshots("used")).toEqual([]);
  await engine.volumes.snapshot("used", { tag: "monday", pause: false });
  const before = describeTree(path);
  writeFileSync(join(path, "later"), "");
  const { tag } = await backUp({ volume: "used@monday", place });
  await restore({ volume: "monday", place, tag });
  expect(describeTree(engine.volumes.get("monday").path)).toEqual(before);
  const scheduled = backUp({ volume: "used@monday", place, every: 3600 });
  expect(await outcome(scheduled)).toThrow("used@monday does not change");
  expect(await outcome(backUp({ volume: "used@never", place }))).toThrow("never");
  await engine.containers.remove(container, { force: true, volumes: false });
}, 600_000);

test("bad places, volumes and counts are refused before anything is made", async () => {
  await makeVolume("good");
  const { path } = engine.volumes.get("good");
  const at = (text: string) => outcome(backUp({ volume: "good", place: { text } }));
  expect(await at("./here")).toThrow("is no place for backups");
  expect(await at("ftp://host/x")).toThrow("is no place for backups");
  expect(await at("s3://UP/x")).toThrow("is no place in a bucket");
  expect(await at("s3://bucket/../x")).toThrow("is no place in a bucket");
  expect(await at("s3://bucket/x")).toThrow("AWS_ACCESS_KEY_ID");
  expect(await at("host:5000/repo:tag")).toThrow("has a tag");
  expect(await at(`${path}/sub`)).toThrow("is in the volume itself");
  expect(await at("/proc/nowhere/x")).toThrow("/proc/nowhere does not exist");
  const place = places.directory();
  expect(await outcome(backUp({ volume: "none", place }))).toThrow("no such volume");
  const retention = { last: 0 };
  expect(await outcome(backUp({ volume: "good", place, retention }))).toThrow("--keep-last 0");
  expect(await outcome(backUp({ volume: "good", place, every: 5 }))).toThrow("one minute");
  expect(await outcome(restore({ volume: "xx", place, tag: "nope" }))).toThrow("no backup nope");
});
