import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ConfigBody, HostConfigBody } from "#container";
import { createRequest } from "../support/create-request.ts";
import type { TestRoots } from "../support/engine.ts";

/** Another process opens the engine, does what victim.ts calls `scenario`, and is killed at `step`. */
export async function crashEngine(
  { dataRoot, runRoot }: TestRoots,
  scenario: string,
  { step, ports = [] }: { readonly step: string; readonly ports?: readonly number[] },
): Promise<void> {
  const victim = join(import.meta.dirname, "victim.ts");
  const child = Bun.spawn(
    [process.execPath, victim, dataRoot, runRoot, scenario, step, ports.join(",")],
    // One that does not meet its step is ended before the test is.
    { stdout: "inherit", stderr: "inherit", timeout: 120_000, killSignal: "SIGTERM" },
  );
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
}

/** Another process starts it and is killed; the container's id. */
export async function createThenKillEngine(
  { dataRoot, runRoot }: TestRoots,
  script: string,
  { host, config = {} }: { readonly host: HostConfigBody; readonly config?: ConfigBody },
): Promise<string> {
  const request = createRequest("busybox", ["sh", "-c", script], { host, config });
  const starter = join(import.meta.dirname, "starter.ts");
  const child = Bun.spawn([process.execPath, starter, dataRoot, runRoot, JSON.stringify(request)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const id = (await new Response(child.stdout).text()).trim();
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  return id;
}

/** Waits for the record that the monitor leaves; it is renamed into its place when it is whole. */
export async function ended({ runRoot }: TestRoots, id: string): Promise<void> {
  const record = join(runRoot, "containers", id.slice(0, 32), "exit");
  while (!existsSync(record)) await Bun.sleep(10);
}
