import { isFault } from "#base";
import type { DownPlan } from "#compose";
import { stopAndRemove } from "./containers.ts";
import { inReverse } from "./lifecycle.ts";
import { told } from "./progress.ts";
import { all, type Run } from "./project-run.ts";

/**
 * Removes containers, those that depend on others first, then networks, volumes and images, side by
 * side. One that is gone already is no failure, so that what a crash left is removed by the next call.
 */
export async function takeDown(
  run: Run,
  plan: DownPlan,
  options: { readonly volumes: boolean; readonly images: readonly string[] },
): Promise<void> {
  await inReverse(plan.services, ({ containers, service }) =>
    all(
      containers.map(({ container }) =>
        container === undefined
          ? Promise.resolve()
          : stopAndRemove(run, container, service, options.volumes),
      ),
    ),
  );
  await all(plan.orphans.map((container) => stopAndRemove(run, container, undefined)));
  const { networks, volumes, images } = run.client;
  await all([
    ...plan.networks.map(({ id, name }) =>
      remove(run, `Network ${name}`, () => networks.remove(id)),
    ),
    ...plan.volumes.map((name) =>
      remove(run, `Volume ${name}`, () => volumes.remove(name, { force: true })),
    ),
    ...options.images.map((name) => remove(run, `Image ${name}`, () => images.remove(name))),
  ]);
}

/** What others still use stays, with a warning. */
async function remove(run: Run, id: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await told(run.report, { id, doing: "Removing", done: "Removed" }, work, isKnown);
  } catch (error) {
    if (!isKnown(error)) throw error;
    const isGone = isFault(error, "not_found");
    const text = isGone ? "No resource found to remove" : "Resource is still in use";
    run.report({ id, text, status: "warning" });
  }
}

const isKnown = (error: unknown) =>
  isFault(error, "not_found") || isFault(error, "conflict") || isFault(error, "denied");
