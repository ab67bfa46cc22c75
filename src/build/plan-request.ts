import { defined, Fault } from "#base";
import {
  DockerfileFault,
  IgnoreMatcher,
  parseDockerfile,
  parseIgnoreFile,
  type ResolvedStage,
  resolveStages,
} from "#dockerfile";
import { encodeDocument, formatPlatform, hostPlatform, type Platform, sha256 } from "#image";
import type { BuildRequest, BuiltImage, GivenContext } from "./contract.ts";
import type { NamedContext } from "./named-context.ts";
import type { OperationPool } from "./operation-pool.ts";
import type { Plan, PlanRequest } from "./plan.ts";
import type { StepRunner } from "./step-runner.ts";

/** What a build asks of the plan for one of its platforms; with a pool it is one of several. */
export function planRequest(
  request: BuildRequest,
  { platform, pool }: { readonly platform: Platform; readonly pool: OperationPool | undefined },
): Omit<PlanRequest, "configOf"> {
  const { network = "default", target, limits, ignore } = request;
  return {
    buildArgs: request.buildArgs ?? new Map(),
    buildPlatform: hostPlatform(),
    targetPlatform: platform,
    contexts: contextsFor(request, platform),
    labels: request.labels ?? new Map(),
    network: network === "none" || network === "host" ? network : "default",
    hosts: request.extraHosts ?? [],
    ignoresCache: request.noCache ?? false,
    ...defined({
      pool,
      target: target || undefined,
      shmSize: limits?.shmSize,
      ignored: ignore === undefined ? undefined : new IgnoreMatcher(parseIgnoreFile(ignore)),
    }),
  };
}

/** The contexts of a platform: "NAME::linux/arm64" stands for NAME there, as buildx has it. */
function contextsFor({ contexts = new Map() }: BuildRequest, platform: Platform) {
  const found = new Map<string, NamedContext>();
  const own = `::${formatPlatform(platform)}`;
  const named = [...(contexts as NonNullable<BuildRequest["contexts"]>)];
  for (const [name, given] of named) {
    const context = namedContext(name, given);
    if (context) found.set(name, context);
  }
  for (const [name, given] of named) {
    const context = namedContext(name, given);
    if (name.endsWith(own) && context?.kind === "image")
      found.set(name.slice(0, -own.length), context);
  }
  return found;
}

/** Undefined for a stage, which has to be planned first. */
function namedContext(name: string, given: GivenContext): NamedContext | undefined {
  switch (given.kind) {
    case "directory":
      return { kind: "directory" };
    case "image":
      return given;
    case "layout":
      return { kind: "image", reference: given.reference, layout: name };
    case "result":
      return { kind: "image", reference: resultName(given.images) };
    case "target":
      return undefined;
  }
}

/** The name of a result among the images that a plan wants: an id, as an image of the store would have it. */
export function resultName([{ config }]: readonly [BuiltImage, ...BuiltImage[]]): string {
  return sha256(encodeDocument(config));
}

/** BuildKit's entitlements; the host's network needs none, as under dockerd. */
export function checkAllowed({ operations }: Plan, { allowed }: BuildRequest): void {
  const needsAll = operations.some(
    (operation) => operation.kind === "run" && operation.security === "insecure",
  );
  if (needsAll && !allowed?.has("security.insecure")) {
    throw new Fault("denied", "security.insecure is not allowed", { about: "--allow" });
  }
}

/** Refuses, before anything is fetched, RUN for a platform whose programs this machine cannot run. */
export function checkRunnable(
  text: string,
  request: Omit<PlanRequest, "configOf">,
  runner: StepRunner,
): void {
  const platforms = new Map<ResolvedStage, Platform>();
  // A stage comes after the one that it begins with.
  for (const resolved of resolveStages(parseDockerfile(text), request).reachable) {
    const { base, stage } = resolved;
    const below = base.kind === "stage" ? platforms.get(base.stage) : undefined;
    const platform = resolved.platform ?? below ?? request.targetPlatform;
    platforms.set(resolved, platform);
    const run = stage.instructions.find(({ kind }) => kind === "run");
    const lack = run && runner.lack(platform);
    if (!run || lack === undefined) continue;
    throw new DockerfileFault(`RUN for ${formatPlatform(platform)}: ${lack}`, [run.range]);
  }
}
