import { Fault } from "#base";
import type { BuildEvent, EnteredStep, StepFault } from "#engine";
import { formatPlatform } from "#image";
import { type CallContext, duplex, type Handler, unary } from "../grpc/server.ts";
import { Gateway } from "../protobuf/gateway-messages.ts";
import type { Input, Value } from "../protobuf/message.ts";
import { buildError } from "./build-error.ts";
import { cacheExports } from "./cache-exports.ts";
import { definitionOf, resultOf } from "./definition.ts";
import { execStream } from "./exec-stream.ts";
import { type FrontendRequest, readFrontendOptions } from "./frontend-request.ts";
import type { Job, Jobs } from "./jobs.ts";
import { loadDefinition } from "./load-definition.ts";
import { readDirectory, readPart, statFile } from "./result-files.ts";
import type { Solutions } from "./solutions.ts";
import type { BuildClient, Solution, Solver } from "./solver.ts";
import { answerSubrequest } from "./subrequest.ts";
import { gatewayCapabilities, solverCapabilities } from "./worker.ts";

/** What the services that clients call are made of. */
export interface Builds {
  readonly solver: Solver;
  readonly jobs: Jobs;
  readonly solutions: Solutions;
  workers(): Promise<Input<(typeof Gateway)["ping"]["response"]>["workers"]>;
  /** The services of the client of a job. */
  clientOf(job: Job): Promise<BuildClient>;
}

type SolveRequest = Value<(typeof Gateway)["solve"]["request"]>;
type Result = NonNullable<Input<(typeof Gateway)["solve"]["response"]>["result"]>;

/** The header by which a call says to which build it belongs. */
const buildHeader = "buildkit-controlapi-buildid";

/** The service LLBBridge: what a client does within one of its builds. */
export function gatewayService(builds: Builds): Readonly<Record<string, Handler>> {
  const { jobs, solutions } = builds;
  const jobOf = async (context: CallContext, verb: string) => {
    const id = context.header(buildHeader) ?? "";
    try {
      return await jobs.get(id);
    } catch (cause) {
      throw new Fault("not_found", `forwarding ${verb}: no such job ${id}`, { about: id, cause });
    }
  };
  const look = async <T>(ref: string, action: (path: string) => T): Promise<T> => {
    const { solution, image } = solutions.image(ref);
    await using files = await solution.directory(image);
    return action(files.directory);
  };
  return {
    ping: unary(Gateway.ping, async (_, context) => {
      await jobOf(context, "Ping");
      const capabilities = { frontendApiCaps: gatewayCapabilities, llbCaps: solverCapabilities };
      return { ...capabilities, workers: await builds.workers() };
    }),
    solve: unary(Gateway.solve, async (request, context) => {
      const job = await jobOf(context, "Solve");
      const signal = AbortSignal.any([context.signal, job.signal]);
      try {
        if (request.frontend === "") {
          const id = resultOf(request.definition);
          if (request.evaluate) solutions.image(id);
          return { result: { ref: { id, def: definitionOf(id) } } };
        }
        const work = solve(builds, { job, asked: request, signal });
        const result = await (request.evaluate ? work : orFailure(builds, job, work));
        return { result: resultMessage(result) };
      } catch (error) {
        throw buildError(error, job);
      }
    }),
    // A result is complete, or has failed, before the client learns of it.
    evaluate: unary(Gateway.evaluate, async ({ ref }, context) => {
      const job = await jobOf(context, "Evaluate");
      try {
        if (ref !== "") solutions.image(ref);
        return {};
      } catch (error) {
        throw buildError(error, job);
      }
    }),
    return: unary(Gateway.return, async (returned, context) => {
      (await jobOf(context, "Return")).return(returned);
      return {};
    }),
    inputs: unary(Gateway.inputs, async (_, context) => {
      const { request } = await jobOf(context, "Inputs");
      return { definitions: request.frontendInputs };
    }),
    resolveImageConfig: unary(Gateway.resolveImageConfig, async (request, context) => {
      const { ref, platform, resolveMode } = request;
      const found = await resolve(builds, await jobOf(context, "ResolveImageConfig"), {
        ...{ ref, platform, resolveMode, signal: context.signal },
      });
      return { digest: found.digest, config: found.config, ref: found.reference };
    }),
    resolveSourceMeta: unary(Gateway.resolveSourceMeta, async (request, context) => {
      const { source, platform, resolveMode } = request;
      const [, ref] = /^docker-image:\/\/(.+)$/.exec(source?.identifier ?? "") ?? [];
      if (ref === undefined) return { source };
      const found = await resolve(builds, await jobOf(context, "ResolveSourceMeta"), {
        ...{ ref, platform, resolveMode, signal: context.signal },
      });
      return { source, image: { digest: found.digest, config: found.config } };
    }),
    readFile: unary(Gateway.readFile, ({ ref, filePath, range }) =>
      look(ref, (path) => ({ data: readPart(path, filePath, range) })),
    ),
    readDir: unary(Gateway.readDir, ({ ref, dirPath, includePattern }) =>
      look(ref, (path) => ({ entries: readDirectory(path, dirPath, includePattern) })),
    ),
    statFile: unary(Gateway.statFile, ({ ref, path: name }) =>
      look(ref, (path) => ({ stat: statFile(path, name) })),
    ),
    newContainer: unary(Gateway.newContainer, async (request, context) => {
      const job = await jobOf(context, "NewContainer");
      await job.containers.create(request, solutions);
      return {};
    }),
    releaseContainer: unary(Gateway.releaseContainer, async ({ containerId }, context) => {
      await (await jobOf(context, "ReleaseContainer")).containers.release(containerId);
      return {};
    }),
    execProcess: duplex(Gateway.execProcess, async function* (requests, context) {
      const { containers } = await jobOf(context, "ExecProcess");
      yield* execStream(containers, requests);
    }),
    warn: unary(Gateway.warn, async (warning, context) => {
      const { digest: vertex, ...about } = warning;
      (await jobOf(context, "Warn")).progress.add({ warnings: [{ vertex, ...about }] }, 1_000);
      return {};
    }),
  };
}

/** What is asked of a frontend. */
export type FrontendCall = Pick<
  SolveRequest,
  "frontend" | "frontendOpt" | "frontendInputs" | "cacheImports"
>;

/** A result, as the client may refer to it. */
export interface SolvedResult {
  /** One for each image. */
  readonly refs: readonly { readonly platform: string; readonly id: string }[];
  readonly isMany: boolean;
  readonly metadata: readonly (readonly [string, Uint8Array])[];
}

/** Carries out what is asked of the Dockerfile frontend; the result stays until its build ends. */
export async function solve(
  builds: Builds,
  { job, asked, signal }: { job: Job; asked: FrontendCall; signal: AbortSignal },
): Promise<SolvedResult> {
  const { solutions, solver } = builds;
  requireDockerfile(asked);
  const inputs = [...asked.frontendInputs].map(
    ([name, definition]) => [name, solutions.image(resultOf(definition))] as const,
  );
  const options = readFrontendOptions(asked.frontendOpt, {
    inputs: new Map(inputs),
    entitlements: job.request.entitlements,
    cacheImports: asked.cacheImports.map(({ type, attrs }) => ({ type, attributes: attrs })),
  });
  const client = await builds.clientOf(job);
  const report = (message: BuildEvent) => job.tell(message);
  const definition = await loadDefinition(options, client, report);
  const { dockerfile } = definition;
  if (dockerfile !== undefined)
    job.file = { filename: options.dockerfileName, data: Buffer.from(dockerfile) };
  if (options.call !== "")
    return { refs: [], isMany: false, metadata: answerSubrequest({ options, definition }) };
  const outputs = job.outputs().map(({ type, attrs: attributes }) => ({ type, attributes }));
  const hasInlineCache = cacheExports(job).some(({ kind }) => kind === "inline");
  // The client hears of a step that failed, and may enter it until its build is over.
  const failed = Promise.withResolvers<never>();
  const enter = async (step: EnteredStep, fault?: StepFault) => {
    if (!fault) return;
    job.failed = { fault, step, ids: job.containers.offer(step) };
    failed.reject(fault);
    await job.over;
    await job.containers.close();
  };
  const request = {
    ...options,
    ...definition,
    outputs,
    hasInlineCache,
    client,
    signal,
    report,
    enter,
  };
  const solution = await Promise.race([solver.solve(request), failed.promise]);
  const id = solutions.add(solution);
  job.results.add(id);
  return describe(solution, id, options);
}

/**
 * A result, or one of which all uses fail: results of BuildKit are made when they are used, and its
 * clients enter a step that failed then.
 */
async function orFailure(
  { solutions }: Builds,
  job: Job,
  work: Promise<SolvedResult>,
): Promise<SolvedResult> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Fault) || error !== job.failed?.fault) throw error;
    const id = solutions.addFailure(error);
    job.results.add(id);
    return { refs: [{ platform: "", id }], isMany: false, metadata: [] };
  }
}

/** Only Dockerfiles are built, also those that name Docker's own frontend. */
function requireDockerfile({ frontend, frontendOpt }: FrontendCall): void {
  if (frontend === "dockerfile.v0") return;
  const source = frontendOpt.get("source") ?? "";
  const isOurs = /^(docker\.io\/)?docker\/dockerfile(-upstream)?([:@]|$)/.test(source);
  if (frontend === "gateway.v0" && isOurs) return;
  const name = frontend === "gateway.v0" ? source : frontend;
  throw new Fault("unsupported", `the frontend ${name} is not supported: only Dockerfiles are`);
}

function describe(solution: Solution, id: string, options: FrontendRequest): SolvedResult {
  const isMany = solution.images.length > 1 || options.isMultiPlatform;
  const named = solution.images.map(({ platform }) => ({
    ID: formatPlatform(platform),
    Platform: platform,
  }));
  const metadata: (readonly [string, Uint8Array])[] = [
    ["refs.platforms", Buffer.from(JSON.stringify({ Platforms: named }))],
  ];
  for (const { platform, config } of solution.images) {
    const suffix = isMany ? `/${formatPlatform(platform)}` : "";
    metadata.push([`containerimage.config${suffix}`, config]);
  }
  const refs = named.map(({ ID: platform }, image) => ({ platform, id: `${id}.${image}` }));
  return { refs, isMany, metadata };
}

function resultMessage({ refs, isMany, metadata }: SolvedResult): Result {
  const [first] = refs;
  if (!isMany) return { ref: first && { id: first.id, def: definitionOf(first.id) }, metadata };
  return {
    refs: { refs: refs.map(({ platform, id }) => [platform, { id, def: definitionOf(id) }]) },
    metadata,
  };
}

async function resolve(
  { solver, clientOf }: Builds,
  job: Job,
  image: {
    readonly ref: string;
    readonly platform: Value<(typeof Gateway)["resolveImageConfig"]["request"]>["platform"];
    readonly resolveMode: string;
    readonly signal: AbortSignal;
  },
) {
  const { ref, platform, resolveMode, signal } = image;
  const { os = "", architecture = "", variant = "" } = platform ?? {};
  return await solver.resolveImage({
    reference: ref,
    platform: os === "" ? undefined : { os, architecture, ...(variant && { variant }) },
    pull: resolveMode === "pull",
    ...{ client: await clientOf(job), signal },
  });
}
