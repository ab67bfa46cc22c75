import {
  networkBody,
  type ObservedContainer,
  type ObservedProject,
  type Plan,
  type ResourcePlan,
  referredServices,
  textsAt,
  volumeBody,
} from "#compose";
import { makeService, stopAndRemove, stopContainer } from "./containers.ts";
import { told } from "./progress.ts";
import { all, type Run, type RunContainer } from "./project-run.ts";

/**
 * Makes the networks, volumes and containers of a plan, side by side as far as they do not need one
 * another; starts none. Each step may be the last before a crash: the next plan goes on from there.
 */
export async function carryOut(
  run: Run,
  plan: Plan,
  observed: ObservedProject,
): Promise<ReadonlyMap<string, readonly RunContainer[]>> {
  await all(plan.resources.map((resource) => makeResource(run, { plan, observed, resource })));
  await all(plan.orphans.map((container) => stopAndRemove(run, container, undefined)));
  const made = new Map<string, readonly RunContainer[]>();
  const work = new Map<string, Promise<void>>();
  for (const service of plan.services) {
    const needed = [
      ...referredServices(service.service),
      ...(textsAt(service.service, "links") ?? []).map((link) => link.split(":")[0] as string),
    ];
    const make = async () => {
      await all(needed.map((name) => work.get(name) ?? Promise.resolve()));
      const containers = (name: string) => made.get(name) ?? [];
      made.set(service.name, await makeService(run, { plan, service }, containers));
    };
    const promise = make();
    promise.catch(() => undefined);
    work.set(service.name, promise);
  }
  await all([...work.values()]);
  return made;
}

async function makeResource(
  run: Run,
  { plan, observed, resource }: { plan: Plan; observed: ObservedProject; resource: ResourcePlan },
): Promise<void> {
  const { kind, key, name, part, fate } = resource;
  if (fate === "keep") return;
  run.signal.throwIfAborted();
  if (fate === "recreate") await removeResource(run, { observed, plan, resource });
  const id = kind === "network" ? `Network ${name}` : `Volume ${JSON.stringify(name)}`;
  await told(run.report, { id, doing: "Creating", done: "Created" }, async () => {
    if (kind === "network") await run.client.networks.create(networkBody(plan.project, key, part));
    else await run.client.volumes.create(volumeBody(plan.project, key, part));
  });
}

/** Removes a network or volume, after the containers that have it: stopped they let go of a network alone. */
async function removeResource(
  run: Run,
  { plan, observed, resource }: { plan: Plan; observed: ObservedProject; resource: ResourcePlan },
): Promise<void> {
  const { kind, name } = resource;
  const uses = ({ summary }: ObservedContainer) =>
    kind === "network"
      ? name in (summary.NetworkSettings?.Networks ?? {})
      : summary.Mounts.some((mount) => mount.Type === "volume" && mount.Name === name);
  const serviceOf = (container: ObservedContainer) =>
    plan.services.find((service) => service.name === container.service)?.service;
  const users = observed.containers.filter(uses);
  if (kind === "network") {
    const running = users.filter(({ state }) => state === "running");
    await all(running.map((container) => stopContainer(run, container, serviceOf(container))));
    await run.client.networks.remove(name);
    run.report({ id: `Network ${name}`, text: "Removed", status: "done" });
  } else {
    await all(users.map((container) => stopAndRemove(run, container, serviceOf(container))));
    await run.client.volumes.remove(name, { force: true });
  }
}
