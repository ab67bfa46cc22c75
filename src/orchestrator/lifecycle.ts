import type { ServicePlan } from "#compose";
import { runStopHooks, stopContainer } from "./containers.ts";
import { told } from "./progress.ts";
import { all, type Run } from "./project-run.ts";

/** Does something with each service after it is done with all that depend on it. */
export async function inReverse(
  services: readonly ServicePlan[],
  work: (service: ServicePlan) => Promise<void>,
): Promise<void> {
  const done = new Map<string, Promise<void>>();
  for (const service of [...services].reverse()) {
    const dependents = services.filter(({ dependencies }) =>
      dependencies.some((one) => one.service === service.name),
    );
    const step = all(dependents.map(({ name }) => done.get(name) ?? Promise.resolve())).then(() =>
      work(service),
    );
    step.catch(() => undefined);
    done.set(service.name, step);
  }
  await all([...done.values()]);
}

/** Stops the containers of services, those that depend on others first. */
export function stopServices(run: Run, services: readonly ServicePlan[]): Promise<void> {
  return inReverse(services, ({ containers, service }) =>
    all(
      containers.map(({ container }) =>
        container === undefined ? Promise.resolve() : stopContainer(run, container, service),
      ),
    ),
  );
}

/** The containers of services, whatever their order. */
const containersOf = (services: readonly ServicePlan[]) =>
  services.flatMap(({ containers, service }) =>
    containers.flatMap(({ container }) =>
      container === undefined ? [] : [{ container, service }],
    ),
  );

/** Stops and starts the containers of services, those that others depend on first. */
export async function restartServices(run: Run, services: readonly ServicePlan[]): Promise<void> {
  for (const one of services) {
    await all(
      containersOf([one]).map(({ container, service }) => {
        const words = { id: `Container ${container.name}`, doing: "Restarting", done: "Started" };
        return told(run.report, words, async () => {
          await runStopHooks(run, container, service);
          await run.client.containers.restart(container.id, { timeout: run.timeout });
        });
      }),
    );
  }
}

/** Sends a signal to the containers of services that run; false when none does. */
export async function killServices(
  run: Run,
  services: readonly ServicePlan[],
  signal: string,
): Promise<boolean> {
  const running = containersOf(services).filter(({ container }) => container.state === "running");
  await all(
    running.map(({ container }) => {
      const words = { id: `Container ${container.name}`, doing: "Killing", done: "Killed" };
      return told(run.report, words, () => run.client.containers.kill(container.id, signal));
    }),
  );
  return running.length > 0;
}

/** Freezes the containers of services, or goes on with them. */
export async function pauseServices(
  run: Run,
  services: readonly ServicePlan[],
  action: "pause" | "unpause",
): Promise<void> {
  const { containers } = run.client;
  const isMeant = (state: string) => action === "unpause" || state === "running";
  await all(
    containersOf(services)
      .filter(({ container }) => isMeant(container.state))
      .map(async ({ container }) => {
        await containers[action](container.id);
        const text = action === "pause" ? "Paused" : "Unpaused";
        run.report({ id: `Container ${container.name}`, text, status: "done" });
      }),
  );
}
