import { isFault } from "#base";
import type { Client } from "#client";
import {
  type ContainerPlan,
  createBody,
  type InheritedVolume,
  itemsAt,
  type ObservedContainer,
  type Plan,
  resolveService,
  type ServicePlan,
  textAt,
} from "#compose";
import type { Mapping } from "#yaml";
import { runHooks } from "./hooks.ts";
import { told } from "./progress.ts";
import { all, type Run, type RunContainer } from "./project-run.ts";

/** The containers of services that are made already. */
export type MadeContainers = (service: string) => readonly RunContainer[];

/** Brings the containers of a service to be as the plan says, side by side; starts none. */
export async function makeService(
  run: Run,
  { plan, service }: { plan: Plan; service: ServicePlan },
  made: MadeContainers,
): Promise<RunContainer[]> {
  const resolved = resolveService(service.service, (other) => firstByName(made(other))?.id);
  const containers: RunContainer[] = [];
  const removals = service.containers.filter(({ fate }) => fate === "remove");
  const removed = all(
    removals.map(({ container }) =>
      stopAndRemove(run, container as ObservedContainer, service.service),
    ),
  );
  const steps = service.containers.filter(({ fate }) => fate !== "remove");
  await all([
    removed,
    ...steps.map(async (step) => {
      // A container that takes the place of another may take its name, too.
      if (removals.some(({ number }) => number === step.number)) await removed;
      containers.push(await makeContainer(run, { plan, service, step, resolved, made }));
    }),
  ]);
  return containers.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const firstByName = (containers: readonly RunContainer[]) =>
  [...containers].sort((a, b) => (a.name < b.name ? -1 : 1))[0];

interface Making {
  readonly plan: Plan;
  readonly service: ServicePlan;
  readonly step: ContainerPlan;
  readonly resolved: Mapping;
  readonly made: MadeContainers;
}

async function makeContainer(run: Run, making: Making): Promise<RunContainer> {
  const { service, step } = making;
  const { name, container } = step;
  run.signal.throwIfAborted();
  if (container === undefined) {
    const words = { id: `Container ${name}`, doing: "Creating", done: "Created" };
    const id = await told(run.report, words, () => create(run, making, name));
    return { id, name, isRunning: false, hasCompleted: false };
  }
  if (step.fate === "recreate") {
    const words = { id: `Container ${container.name}`, doing: "Recreate", done: "Recreated" };
    const id = await told(run.report, words, () => recreate(run, making, container));
    return { id, name, isRunning: false, hasCompleted: false };
  }
  let isRunning = container.state === "running";
  if (step.fate === "restart") {
    await stopContainer(run, container, service.service);
    isRunning = false;
  }
  if (isHalfMade(container, name)) await run.client.containers.rename(container.id, name);
  if (isRunning) run.report({ id: `Container ${name}`, text: "Running", status: "done" });
  const hasCompleted = /^Exited \(0\)/.test(container.summary.Status);
  return { id: container.id, name, isRunning, hasCompleted };
}

/** Whether a container was made in place of another, and whoever made it ended before it got its name. */
function isHalfMade(container: ObservedContainer, name: string): boolean {
  const replaced = container.summary.Labels["com.docker.compose.replace"];
  return replaced !== undefined && container.name === `${replaced.slice(0, 12)}_${name}`;
}

async function create(
  run: Run,
  { plan, service, step, resolved, made }: Making,
  name: string,
  before: { replaces?: string; inherited?: readonly InheritedVolume[] } = {},
): Promise<string> {
  const { project, origin } = plan;
  const body = createBody({
    ...{ project, origin, name: service.name, service: resolved, number: step.number },
    imageId: run.imageId(service.name),
    containerNames: (other) => made(other).map((one) => one.name),
    environment: run.proxies,
    ...before,
  });
  const platform =
    textAt(service.service, "platform") || run.environment.get("DOCKER_DEFAULT_PLATFORM");
  const { Id, Warnings } = await run.client.containers.create(body, { name, platform });
  for (const text of Warnings ?? []) run.report({ id: service.name, text, status: "warning" });
  return Id;
}

/**
 * The new container is made under a name of its own before the old one goes, so that a failure leaves
 * the old one; whoever comes after a crash finds both, or the new one alone, and goes on.
 */
async function recreate(run: Run, making: Making, old: ObservedContainer): Promise<string> {
  const { service, step } = making;
  const inherited = run.keepsVolumes
    ? await inheritedVolumes(run.client, service.service, old)
    : [];
  const name = `${old.id.slice(0, 12)}_${step.name}`;
  const id = await create(run, making, name, { replaces: old.id, inherited });
  run.signal.throwIfAborted();
  await runStopHooks(run, old, service.service);
  await unlessGone(run.client.containers.stop(old.id, { timeout: run.timeout }));
  await unlessGone(run.client.containers.remove(old.id));
  await run.client.containers.rename(id, step.name);
  return id;
}

/** The volumes without a name of a container: those of its image, and those of its service. */
async function inheritedVolumes(
  client: Client,
  service: Mapping,
  { summary }: ObservedContainer,
): Promise<InheritedVolume[]> {
  const unnamed = new Set(
    itemsAt(service, "volumes")
      .filter((volume) => textAt(volume, "source") === "")
      .map((volume) => textAt(volume, "target")),
  );
  const volumes = summary.Mounts.filter(({ Type }) => Type === "volume");
  const isNamed = (target: string) =>
    itemsAt(service, "volumes").some((volume) => textAt(volume, "target") === target);
  if (volumes.some(({ Destination }) => !isNamed(Destination))) {
    const { Config } = await client.images.inspect(summary.ImageID);
    for (const target of Object.keys(Config?.Volumes ?? {})) unnamed.add(target);
  }
  return volumes
    .filter(({ Destination }) => unnamed.has(Destination))
    .map(({ Name = "", Destination: target, RW }) => ({ name: Name, target, isReadOnly: !RW }));
}

/** Runs what a service does in a container before it stops. */
export async function runStopHooks(
  run: Run,
  container: ObservedContainer,
  service: Mapping | undefined,
): Promise<void> {
  const hooks = service === undefined ? [] : itemsAt(service, "pre_stop");
  if (hooks.length === 0 || container.state !== "running") return;
  await runHooks(run.client, container.id, hooks, run.onHookOutput?.(container.name));
}

/** Stops a container after its hooks; one that is gone needs none. */
export async function stopContainer(
  run: Run,
  container: ObservedContainer,
  service: Mapping | undefined,
): Promise<void> {
  const words = { id: `Container ${container.name}`, doing: "Stopping", done: "Stopped" };
  await told(run.report, words, async () => {
    await runStopHooks(run, container, service);
    await unlessGone(run.client.containers.stop(container.id, { timeout: run.timeout }));
  });
}

/** Stops a container and removes it; `volumes` takes those without a name with it. */
export async function stopAndRemove(
  run: Run,
  container: ObservedContainer,
  service: Mapping | undefined,
  volumes = false,
): Promise<void> {
  await stopContainer(run, container, service);
  await removeContainer(run, container, volumes);
}

/** Removes containers that do not run. */
export async function removeContainers(
  run: Run,
  containers: readonly ObservedContainer[],
  volumes: boolean,
): Promise<void> {
  await all(containers.map((container) => removeContainer(run, container, volumes)));
}

async function removeContainer(run: Run, container: ObservedContainer, volumes: boolean) {
  const words = { id: `Container ${container.name}`, doing: "Removing", done: "Removed" };
  await told(run.report, words, () =>
    unlessGone(run.client.containers.remove(container.id, { force: true, volumes })),
  );
}

async function unlessGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isFault(error, "not_found")) throw error;
  }
}
