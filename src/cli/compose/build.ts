import { printTargets } from "#bake";
import { openProjectToRun, type Project } from "#compose";
import type { Verb } from "../command.ts";
import type { Context, Sink } from "../context.ts";
import { Exit } from "../failure.ts";
import type { buildFlags } from "../table/compose-make.ts";
import { type BuildWishes, buildTargets } from "./build-targets.ts";
import { ProgressView } from "./progress-view.ts";
import { readProject } from "./project.ts";

export const build: Verb<typeof buildFlags> = async (context, { flags, args }) => {
  const opened = await readProject(context, flags, (request) => openProjectToRun(request, args));
  const { project, all, environment } = opened;
  const isWanted = (name: string) =>
    args.length === 0 || flags["with-dependencies"] || args.includes(name);
  const names = [...project.services]
    .filter(([name, service]) => service.has("build") && isWanted(name))
    .map(([name]) => name)
    .sort();
  if (names.length === 0) return 0;
  const wishes: BuildWishes = {
    args: flags["build-arg"],
    noCache: flags["no-cache"],
    pull: flags.pull,
    push: flags.push,
    call: flags.check ? "lint" : undefined,
    ssh: flags.ssh === undefined ? [] : [flags.ssh],
    provenance: flags.provenance,
    sbom: flags.sbom,
  };
  if (flags.print) {
    const targets = buildTargets({ project: all, environment }, names, wishes);
    const groups = new Map([["default", { name: "default", targets: names }]]);
    await context.out.write(printTargets({ targets, groups }));
    return 0;
  }
  await buildServices(context, { project: all, environment }, { names, wishes, ...flags });
  if (flags.quiet || flags.check) return 0;
  const view = new ProgressView(context);
  for (const id of names) view.report({ id, detail: "", text: "Built", status: "done" });
  await view.end();
  return 0;
};

const plainBuild: BuildWishes = {
  args: [],
  noCache: false,
  pull: false,
  push: false,
  call: undefined,
  ssh: [],
  provenance: undefined,
  sbom: undefined,
};

/**
 * Builds the images of services side by side.
 * @throws Exit when a build has failed, which has said why
 */
export async function buildServices(
  context: Context,
  from: { readonly project: Project; readonly environment: ReadonlyMap<string, string> },
  asked: {
    readonly names: readonly string[];
    readonly wishes?: BuildWishes;
    readonly quiet?: boolean;
  },
): Promise<void> {
  const { names, wishes = plainBuild, quiet = false } = asked;
  const targets = buildTargets(from, names, wishes);
  const env = { ...context.env, ...Object.fromEntries(from.environment) };
  const { runTargets } = await import("../build/bake-run.ts");
  const own = { ...context, env, ...(quiet && { err: nowhere }) };
  const status = await runTargets(own, { targets, groups: new Map() });
  if (status !== 0) throw new Exit(status, "");
}

const nowhere: Sink = { isTerminal: false, columns: 80, write: () => Promise.resolve() };
