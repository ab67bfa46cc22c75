import { Fault } from "#base";
import { emptyProject, mappingAt, planDown, type ServicePlan } from "#compose";
import {
  killServices,
  pauseServices,
  type RunContainer,
  removeContainers,
  restartServices,
  startAll,
  stopServices,
  takeDown,
} from "#orchestrator";
import { cancellable } from "../cancellable.ts";
import type { Invocation, Verb } from "../command.ts";
import { confirm } from "../confirm.ts";
import type { Context } from "../context.ts";
import type {
  killFlags,
  pauseFlags,
  restartFlags,
  rmFlags,
  startFlags,
  stopFlags,
  waitFlags,
} from "../table/compose-run.ts";
import {
  type ComposeCall,
  type FoundProject,
  findProject,
  openCall,
  servicesOf,
} from "./compose-run.ts";

type NoFlags = Invocation<typeof pauseFlags>["flags"];

interface Change {
  readonly call: ComposeCall;
  readonly found: FoundProject;
  readonly services: readonly ServicePlan[];
}

/** Finds the services that are meant, and does something with them; with --dry-run it is only told. */
async function change(
  context: Context,
  { flags, args }: { flags: NoFlags & { timeout?: number | undefined }; args: readonly string[] },
  verb: string,
  work: (change: Change) => Promise<number | undefined>,
  choose: (found: FoundProject) => ServicePlan[] = (found) => servicesOf(found, args),
): Promise<number> {
  const found = await findProject(context, flags);
  const services = choose(found);
  if (flags["dry-run"]) {
    const names = services.flatMap(({ containers }) => containers.map(({ name }) => name));
    await context.out.write(names.map((name) => `would ${verb} container ${name}\n`).join(""));
    return 0;
  }
  return await cancellable(async (signal) => {
    const { progress, timeout } = flags;
    const { environment } = found;
    const call = openCall(context, { progress, timeout, signal, environment });
    try {
      return (await work({ call, found, services })) ?? 0;
    } finally {
      await call.view.end();
    }
  });
}

export const stop: Verb<typeof stopFlags> = (context, invocation) =>
  change(context, invocation, "stop", async ({ call, services }) => {
    await stopServices(call.run, services);
    return 0;
  });

export const start: Verb<typeof startFlags> = (context, invocation) =>
  change(context, invocation, "start", async ({ call, found, services }) => {
    await startFound({ call, found, services }, invocation.flags);
    return 0;
  });

async function startFound(
  { call, found, services }: Change,
  flags: { readonly wait: boolean; readonly "wait-timeout"?: number | undefined },
): Promise<void> {
  const { project, name } = found;
  if (project === undefined && services.length === 0) {
    throw new Fault("not_found", `no container found for project "${name}": not found`);
  }
  const empty = services.find(
    ({ name: service, scale }) => scale === 0 && project?.services.has(service),
  );
  if (empty !== undefined) {
    throw new Fault("not_found", `service "${empty.name}" has no container to start`);
  }
  const made = new Map(
    services.map(({ name: service, containers }): [string, RunContainer[]] => [
      service,
      containers.flatMap(({ container }) =>
        container === undefined
          ? []
          : [
              {
                ...{ id: container.id, name: container.name },
                ...{ isRunning: container.state === "running", hasCompleted: false },
              },
            ],
      ),
    ]),
  );
  const plan = { project: project ?? emptyProject(name), services };
  await startAll(call.run, { plan, made }, { ...flags, skipsCompleted: false });
}

export const restart: Verb<typeof restartFlags> = (context, invocation) =>
  change(context, invocation, "restart", async ({ call, found, services }) => {
    const names = invocation.flags["no-deps"]
      ? invocation.args
      : dependentsOf(found, invocation.args);
    await restartServices(call.run, names.length === 0 ? services : servicesOf(found, names));
    return 0;
  });

/** The named services, and those that ask to be restarted with them. */
function dependentsOf(found: FoundProject, named: readonly string[]): string[] {
  const names = new Set(named);
  for (const { name, service } of servicesOf(found, [])) {
    const asks = [...mappingAt(service, "depends_on")].some(
      ([other, parts]) => named.includes(other) && isRestarted(parts),
    );
    if (asks) names.add(name);
  }
  return [...names];
}

const isRestarted = (parts: unknown) => parts instanceof Map && parts.get("restart") === true;

export const kill: Verb<typeof killFlags> = (context, invocation) => {
  const { flags, args } = invocation;
  const isAll = flags["remove-orphans"] && args.length === 0;
  const send = async ({ call, services }: Change) => {
    const isAny = await killServices(call.run, services, flags.signal ?? "SIGKILL");
    await call.view.end();
    if (!isAny) await context.err.write("no container to kill");
    return 0;
  };
  // Of a project without files all that is there is meant.
  return change(context, invocation, "kill", send, (found) =>
    servicesOf(isAll ? { ...found, project: undefined } : found, args),
  );
};

export const pause: Verb<typeof pauseFlags> = (context, invocation) =>
  change(context, invocation, "pause", async ({ call, services }) => {
    await pauseServices(call.run, services, "pause");
    return 0;
  });

export const unpause: Verb<typeof pauseFlags> = (context, invocation) =>
  change(context, invocation, "unpause", async ({ call, services }) => {
    await pauseServices(call.run, services, "unpause");
    return 0;
  });

export const rm: Verb<typeof rmFlags> = (context, invocation) =>
  change(context, invocation, "remove", async ({ call, services }) => {
    const { flags } = invocation;
    if (flags.stop) await stopServices(call.run, services);
    await call.view.end();
    const states = ["created", "exited", "dead"];
    const stopped = services.flatMap(({ containers }) =>
      containers.flatMap(({ container }) =>
        container !== undefined && (flags.stop || states.includes(container.state))
          ? [container]
          : [],
      ),
    );
    if (stopped.length === 0) {
      await context.err.write("No stopped containers\n");
      return 0;
    }
    const names = stopped.map(({ name }) => name).join(", ");
    const message = `Going to remove ${names}`;
    if (flags.force) await context.out.write(message);
    else if (!(await confirm(context, message))) return 0;
    await removeContainers(call.run, stopped, flags.volumes);
    return 0;
  });

/** Prints the exit code of each container as it ends; the status is that of the last. */
export const wait: Verb<typeof waitFlags> = (context, invocation) =>
  change(
    context,
    { ...invocation, flags: { ...invocation.flags, progress: undefined } },
    "wait for",
    async ({ call, found, services }) => {
      const containers = services
        .flatMap((service) => service.containers)
        .flatMap(({ container }) => (container?.state === "running" ? [container] : []));
      if (containers.length === 0) {
        throw new Fault("not_found", `no containers for project "${found.name}"`);
      }
      let status = 0;
      const ends = containers.map(async ({ id }) => {
        const { result } = await context.client.containers.wait(id, "not-running", call.run.signal);
        const { StatusCode } = await result;
        status = StatusCode;
        await context.out.write(
          `container ${JSON.stringify(id)} exited with status code ${StatusCode}\n`,
        );
      });
      if (!invocation.flags["down-project"]) {
        await Promise.all(ends);
        return status;
      }
      await Promise.race(ends);
      const options = { named: [], volumes: false, orphans: false };
      await takeDown(call.run, planDown(found.observed, found.project, options), {
        volumes: false,
        images: [],
      });
      return status;
    },
  );
