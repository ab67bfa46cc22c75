/** An engine that dies in the middle of a build: finished steps stay cached, half ones leave nothing. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { buildCrashPoints } from "#build";
import { crashedBuild } from "../support/crashed-build.ts";
import { importBusybox, openEngineAt, temporaryRoots } from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";

/** The steps that are cached after the crash, and whether the image is there. */
const expectations: Record<
  (typeof buildCrashPoints)[number],
  { readonly cached: number; readonly isThere: boolean }
> = {
  "build:step-prepared": { cached: 1, isThere: false },
  "build:step-carried-out": { cached: 1, isThere: false },
  "build:failed-step-kept": { cached: 1, isThere: false },
  "build:step-committed": { cached: 1, isThere: false },
  "build:step-recorded": { cached: 2, isThere: false },
  "build:image-stored": { cached: 2, isThere: true },
};

const silent = { onFinding: () => undefined, signal: new AbortController().signal };

test("every crash step has its test", () => {
  expect(Object.keys(expectations)).toEqual([...buildCrashPoints]);
});

test.each([...buildCrashPoints])("killed at %s", async (step) => {
  using roots = temporaryRoots();
  const leaks = engineHoldings(roots);
  {
    await using first = await openEngineAt(roots);
    await importBusybox(first.engine);
  }
  const { dataRoot, runRoot } = roots;
  const victim = join(import.meta.dirname, "build-victim.ts");
  const child = Bun.spawn([process.execPath, victim, dataRoot, runRoot, step], {
    ...{ stdout: "inherit", stderr: "inherit" },
    ...{ timeout: 120_000, killSignal: "SIGTERM" },
  });
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  {
    await using opened = await openEngineAt(roots);
    const { engine } = opened;
    const { cached, isThere } = expectations[step];
    expect(engine.images.idOf("victim:1") !== undefined).toBe(isThere);
    const builder = await engine.builds.builder();
    expect(await builder.usage()).toHaveLength(cached);
    expect((await engine.fsck({ repair: false, deep: true, ...silent })).findings).toEqual([]);
    expect(await crashedBuild(engine, 2)).toHaveLength(2 - cached);
    await engine.images.remove("victim:1", { force: true, prune: true });
    await engine.images.remove("busybox", { force: true, prune: true });
    expect((await builder.prune({ all: true })).ids).toHaveLength(2);
    expect((await engine.fsck({ repair: false, deep: false, ...silent })).findings).toEqual([]);
  }
  roots[Symbol.dispose]();
  await leaks.settled();
});
