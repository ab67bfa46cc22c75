import { type DownPlan, imageOf, type Project, planDown } from "#compose";
import { takeDown } from "#orchestrator";
import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import type { downFlags } from "../table/compose-run.ts";
import { findProject, openCall } from "./compose-run.ts";

export const down: Verb<typeof downFlags> = async (context, { flags, args }) => {
  const found = await findProject(context, flags);
  const { project, observed, name } = found;
  const plan = planDown(observed, project, {
    named: args,
    volumes: flags.volumes,
    orphans: flags["remove-orphans"],
  });
  const images = imagesOf(project, flags.rmi);
  if (flags["dry-run"]) return await rehearse(context, plan, images);
  await cancellable(async (signal) => {
    const call = openCall(context, { ...flags, signal });
    const isEmpty =
      [...plan.services.flatMap((one) => one.containers), ...plan.orphans].length === 0;
    if (isEmpty && project === undefined && plan.networks.length + plan.volumes.length === 0) {
      await call.warn(`Warning: No resource found to remove for project "${name}".`);
    }
    try {
      await takeDown(call.run, plan, { volumes: flags.volumes, images });
    } finally {
      await call.view.end();
    }
  });
  return 0;
};

/** The images of services: all, or those that are named after their project alone. */
function imagesOf(project: Project | undefined, kind: "local" | "all" | undefined): string[] {
  if (kind === undefined || project === undefined) return [];
  const services = [...project.services].filter(
    ([, service]) => kind === "all" || (service.has("build") && !service.has("image")),
  );
  return [...new Set(services.map(([name, service]) => imageOf(project, name, service)))].sort();
}

async function rehearse(
  context: Context,
  plan: DownPlan,
  images: readonly string[],
): Promise<number> {
  const containers = [
    ...plan.services.toReversed().flatMap(({ containers }) => containers.map(({ name }) => name)),
    ...plan.orphans.map(({ name }) => name),
  ];
  const lines = [
    ...containers.map((name) => `container ${name}`),
    ...plan.networks.map(({ name }) => `network ${name}`),
    ...plan.volumes.map((name) => `volume ${name}`),
    ...images.map((name) => `image ${name}`),
  ];
  await context.out.write(lines.map((line) => `would remove ${line}\n`).join(""));
  return 0;
}
