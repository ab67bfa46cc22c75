import { Fault } from "#base";
import { openProjectToRun, type Plan, type Project, planUp, type UpRequest } from "#compose";
import { carryOut, observeAround, type RunContainer, startAll } from "#orchestrator";
import type { Mapping } from "#yaml";
import { confirm } from "../confirm.ts";
import type { Context } from "../context.ts";
import type { Values } from "../flag.ts";
import type { planFlags, upFlags } from "../table/compose-run.ts";
import { type ComposeCall, openCall } from "./compose-run.ts";
import type { ProgressMode } from "./progress-view.ts";
import { type ProjectFlags, readProject } from "./project.ts";
import { serviceImages } from "./service-images.ts";

type UpFlags = Values<typeof upFlags>;

/** What the verbs that make containers ask for. */
export type Asked = Pick<
  UpFlags,
  | Exclude<keyof typeof planFlags, "format">
  | "build"
  | "no-build"
  | "pull"
  | "quiet-pull"
  | "yes"
  | "no-deps"
  | "renew-anon-volumes"
> & {
  readonly named: readonly string[];
  readonly isPlanned: boolean;
};

/** The flags by which a project is found, and how its changes are shown. */
export type CallFlags = ProjectFlags & {
  readonly progress?: ProgressMode | undefined;
  readonly timeout?: number | undefined;
};

/** A project that was read and compared with what the engine has. */
export interface Prepared {
  readonly call: ComposeCall;
  readonly plan: Plan;
  readonly observed: Awaited<ReturnType<typeof observeAround>>;
}

/** Does something, and shows its progress to the end. */
export async function within<T>({ view }: ComposeCall, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await view.end();
  }
}

/** Makes what the plan says; starts nothing. */
export function make({ call, plan, observed }: Prepared) {
  return carryOut(call.run, plan, observed);
}

/** Starts what was made, and waits where that is asked for. */
export async function begin(
  { call, plan }: Prepared,
  made: ReadonlyMap<string, readonly RunContainer[]>,
  flags: { readonly wait: boolean; readonly "wait-timeout"?: number | undefined },
): Promise<void> {
  await startAll(call.run, { plan, made }, { ...flags, skipsCompleted: flags.wait });
}

/** Reads the project, looks at the engine, gets images, and plans. */
export async function prepare(
  context: Context,
  flags: CallFlags,
  asked: Asked,
  signal: AbortSignal,
): Promise<Prepared> {
  const opened = await readProject(context, flags, (request) =>
    openProjectToRun(request, asked.named),
  );
  const project = withScale(
    asked["no-deps"] ? withoutDependencies(opened.project, asked.named) : opened.project,
    asked.scale,
  );
  let images: ReadonlyMap<string, string> = new Map();
  const call = openCall(context, {
    ...{ progress: flags.progress, timeout: flags.timeout, signal },
    environment: opened.environment,
    imageId: (name) => images.get(name) ?? "",
    keepsVolumes: !asked["renew-anon-volumes"],
  });
  const pull = asked.isPlanned ? "never" : asked.pull === "policy" ? undefined : asked.pull;
  const [observed, found] = await within(call, () =>
    Promise.all([
      observeAround(context.client, project),
      serviceImages(context, project, {
        pull,
        isQuiet: asked["quiet-pull"],
        build: asked["no-build"] || asked.isPlanned ? "never" : asked.build ? "always" : "missing",
        ...{ environment: opened.environment, all: opened.all },
        signal,
        report: call.run.report,
      }),
    ]),
  );
  images = found;
  const request: UpRequest = {
    ...{ project, all: opened.all, origin: opened.origin, named: asked.named },
    recreation: asked["force-recreate"] ? "force" : asked["no-recreate"] ? "never" : "diverged",
    recreationOfDependencies: asked["always-recreate-deps"]
      ? "force"
      : asked["no-recreate"]
        ? "never"
        : "diverged",
    orphans: asked["remove-orphans"]
      ? "remove"
      : /^(1|true)$/i.test(context.env.COMPOSE_IGNORE_ORPHANS ?? "")
        ? "ignore"
        : "warn",
    imageId: (name) => images.get(name),
    replacesVolume: () => true,
  };
  let plan = planUp(request, observed);
  const lost = plan.resources.filter(({ kind, fate }) => kind === "volume" && fate === "recreate");
  if (lost.length > 0 && !asked.yes && !asked.isPlanned) {
    const agreed = new Set<string>();
    for (const { name } of lost) {
      const question = `Volume ${JSON.stringify(name)} exists but doesn't match configuration in compose file. Recreate (data will be lost)?`;
      if (await confirm(context, question)) agreed.add(name);
    }
    plan = planUp({ ...request, replacesVolume: (name) => agreed.has(name) }, observed);
  }
  if (!asked.isPlanned) for (const warning of plan.warnings) await call.warn(warning);
  return { call, plan, observed };
}

/** Leaves the named services alone; without names all. */
function withoutDependencies(project: Project, named: readonly string[]): Project {
  if (named.length === 0) return project;
  const isNamed = ([name]: readonly [string, Mapping]) => named.includes(name);
  const others = [...project.services].filter((one) => !isNamed(one));
  return {
    ...project,
    services: new Map([...project.services].filter(isNamed)),
    disabled: new Map([...project.disabled, ...others]),
  };
}

/** Services with as many containers as SERVICE=NUM says. */
function withScale(project: Project, words: readonly string[]): Project {
  const services = new Map(project.services);
  for (const word of words) {
    const [, name = "", count = ""] = /^([^=]*)=(.*)$/.exec(word) ?? [];
    if (name === "") throw new Fault("invalid", `invalid scale specifier: ${word}`);
    if (!/^\d{1,6}$/.test(count)) throw new Fault("invalid", `invalid scale specifier: ${word}`);
    const service = services.get(name);
    if (service === undefined) throw new Fault("not_found", `no such service: ${name}`);
    services.set(name, new Map([...service, ["scale", Number(count)]]));
  }
  return { ...project, services };
}
