import { Fault } from "#base";
import type { ObservedContainer } from "#compose";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { parseSide } from "../copy-path.ts";
import { sourceDateEpoch } from "../source-date.ts";
import type { commitFlags, cpFlags, exportFlags } from "../table/compose-make.ts";
import { exportContainer } from "../verb/archive.ts";
import { cp as copyOne } from "../verb/cp.ts";
import { projectContainers, serviceContainer } from "./containers.ts";
import { ProgressView } from "./progress-view.ts";
import { type ProjectFlags, projectName } from "./project.ts";

/** Out of the first container of a service, or into all of them. */
export const cp: Verb<typeof cpFlags> = async (context, { flags, args }) => {
  const [from = "", to = ""] = args;
  const [source, destination] = [parseSide(from), parseSide(to)];
  if (source.container && destination.container) {
    throw new Fault("invalid", "copying between services is not supported");
  }
  const service = source.container || destination.container;
  if (!service) throw new Fault("invalid", "unknown copy direction");
  const found = await copied(context, flags, service);
  const containers = source.container ? found.slice(0, 1) : found;
  const view = new ProgressView(context);
  try {
    await Promise.all(
      containers.map(async ({ id, name }) => {
        const sides = (ref: string) =>
          source.container ? [`${ref}:${source.path}`, to] : [from, `${ref}:${destination.path}`];
        const detail = `copy ${sides(name).join(" to ")}`;
        view.report({ id: name, detail, text: "Copying", status: "working" });
        const { archive, "follow-link": follow } = flags;
        const own = { archive, "follow-link": follow, quiet: true };
        await copyOne(context, { flags: own, given: new Set(["quiet"]), args: sides(id) });
        view.report({ id: name, detail, text: "Copied", status: "done" });
      }),
    );
  } finally {
    await view.end();
  }
  return 0;
};

async function copied(
  context: Context,
  flags: Parameters<typeof cp>[1]["flags"],
  service: string,
): Promise<readonly ObservedContainer[]> {
  const { client } = context;
  const project = await projectName(context, flags);
  const choice = { all: true, oneOff: flags.all };
  if (flags.index) {
    return [await serviceContainer(client, project, { ...choice, service, index: flags.index })];
  }
  const found = await projectContainers(client, project, { ...choice, services: [service] });
  if (found.length > 0) return found;
  throw new Fault("not_found", `no container found for service ${JSON.stringify(service)}`);
}

export const exportService: Verb<typeof exportFlags> = async (context, { flags, args }) => {
  const { id, name } = await anyContainer(context, flags, args);
  const view = new ProgressView(context);
  if (flags.output !== undefined) {
    const detail = `export ${name} to ${flags.output}`;
    view.report({ id: name, detail, text: "Exporting", status: "working" });
  }
  await view.end();
  return await exportContainer(context, { flags, given: new Set(), args: [id] });
};

export const commit: Verb<typeof commitFlags> = async (context, { flags, args }) => {
  const { id, name } = await anyContainer(context, flags, args);
  const view = new ProgressView(context);
  const step = { id: name, detail: `Commit ${name}` };
  try {
    view.report({ ...step, text: "Committing", status: "working" });
    const image = await context.client.containers.commit(id, {
      reference: args[1],
      message: flags.message,
      author: flags.author,
      changes: flags.change,
      pause: flags.pause,
      epoch: sourceDateEpoch(context.env),
    });
    view.report({ ...step, text: `Committed as ${image}`, status: "done" });
  } finally {
    await view.end();
  }
  return 0;
};

/** A service's container that has the index, or the first one; it need not run. */
async function anyContainer(
  context: Context,
  flags: ProjectFlags & { readonly index: number | undefined },
  [service = ""]: readonly string[],
): Promise<ObservedContainer> {
  const project = await projectName(context, flags);
  const choice = { all: true, oneOff: true, service, index: flags.index };
  return await serviceContainer(context.client, project, choice);
}
