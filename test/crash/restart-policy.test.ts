import { afterAll, beforeAll, expect, test } from "bun:test";
import type { HostConfigBody } from "#container";
import type { Engine } from "#engine";
import { createRequest } from "../support/create-request.ts";
import { importBusybox, openEngineAt, type TestRoots, temporaryRoots } from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { Gate } from "../support/gate.ts";
import { createThenKillEngine, ended } from "./crash-engine.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  await using opened = await openEngineAt(roots);
  await importBusybox(opened.engine);
});

afterAll(async () => {
  roots[Symbol.dispose]();
  await leaks.settled();
});

const policy = (Name: string, Binds: string[] = []): { readonly host: HostConfigBody } => ({
  host: { NetworkMode: "none", RestartPolicy: { Name }, Binds },
});

/** Fails at first and stays the second time. */
const failsOnce = "test -e /x && exec sleep 1000; touch /x; exit 3";

async function untilStatus(engine: Engine, id: string, status: string): Promise<void> {
  while (engine.containers.get(id).state.status !== status) await Bun.sleep(5);
}

test("what ended while no engine ran is started by the next one, if its policy says so", async () => {
  using gate = new Gate();
  const script = `${Gate.wait}; ${failsOnce}`;
  const id = await createThenKillEngine(roots, script, policy("on-failure", [gate.bind]));
  gate.open();
  await ended(roots, id);
  await using opened = await openEngineAt(roots);
  await untilStatus(opened.engine, id, "running");
  expect(opened.engine.containers.get(id)).toMatchObject({ restartCount: 1 });
  await opened.engine.containers.remove(id, { force: true, volumes: true });
});

test("an engine that closes starts nothing, and the next one starts what waited", async () => {
  let id = "";
  {
    await using opened = await openEngineAt(roots);
    const { containers } = opened.engine;
    ({ id } = await containers.create(
      createRequest("busybox", ["sh", "-c", failsOnce], policy("always")),
    ));
    await containers.start(id);
    await untilStatus(opened.engine, id, "restarting");
  }
  await using opened = await openEngineAt(roots);
  await untilStatus(opened.engine, id, "running");
  await opened.engine.containers.remove(id, { force: true, volumes: true });
});

test.each([
  ["always", "running"],
  ["unless-stopped", "exited"],
  ["on-failure", "exited"],
  ["no", "exited"],
] as const)(
  "a container that its user stopped, with the policy %s, is %s after the engine's next start",
  async (name, after) => {
    let id = "";
    {
      await using opened = await openEngineAt(roots);
      const { containers } = opened.engine;
      ({ id } = await containers.create(createRequest("busybox", ["sleep", "1000"], policy(name))));
      await containers.start(id);
      await containers.stop(id, { timeout: 0 });
    }
    await using opened = await openEngineAt(roots);
    const { state } = opened.engine.containers.get(id);
    expect(state.status).toBe(after === "running" ? "restarting" : after);
    await untilStatus(opened.engine, id, after);
    await opened.engine.containers.remove(id, { force: true, volumes: true });
  },
);

test("a container that was made and never started stays so", async () => {
  let id = "";
  {
    await using opened = await openEngineAt(roots);
    ({ id } = await opened.engine.containers.create(
      createRequest("busybox", ["sleep", "1000"], policy("always")),
    ));
  }
  await using opened = await openEngineAt(roots);
  expect(opened.engine.containers.get(id).state.status).toBe("created");
  await opened.engine.containers.remove(id, { force: true, volumes: true });
});

test("one that cannot be started again has ended, and says why", async () => {
  await using opened = await openEngineAt(roots);
  const { containers } = opened.engine;
  const script = "rm /bin/sh; exit 3";
  const { id } = await containers.create(
    createRequest("busybox", ["sh", "-c", script], policy("always")),
  );
  await containers.start(id);
  const { result } = await containers.wait(id, "not-running");
  expect((await result).exitCode).toBe(127);
  expect(containers.get(id).state).toMatchObject({
    status: "exited",
    error: expect.stringContaining("executable file not found"),
  });
  await containers.remove(id, { force: true, volumes: true });
});
