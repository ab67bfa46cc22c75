import { faultOf } from "#base";
import { duplex, type Handler, streaming, unary } from "../grpc/server.ts";
import { StatusError } from "../grpc/status.ts";
import { Control } from "../protobuf/control-messages.ts";
import { Status } from "../protobuf/solver-messages.ts";
import type { Sessions } from "../session/sessions.ts";
import { Tunnel } from "../session/tunnel.ts";
import { buildError } from "./build-error.ts";
import { cacheExports, writeCaches } from "./cache-exports.ts";
import { pruneRecords, usageRecords } from "./cache-records.ts";
import { resultOf } from "./definition.ts";
import { exportResult } from "./export-result.ts";
import { type Builds, solve } from "./gateway.ts";
import type { BuildRecord, History } from "./history.ts";
import { Job } from "./jobs.ts";
import { now } from "./status-message.ts";
import { buildkitVersion } from "./worker.ts";

const maxRememberedText = 4096;

/** What the service Control has beyond builds. */
export interface ControlParts {
  readonly builds: Builds;
  readonly sessions: Sessions;
  readonly history: History;
  /** The version of thimble. */
  readonly version: string;
}

/** The service Control: builds as a whole, the sessions of clients, and what there is to know. */
export function controlService(parts: ControlParts): Readonly<Record<string, Handler>> {
  const { builds, sessions, history, version } = parts;
  return {
    info: unary(Control.info, () => ({ buildkitVersion: buildkitVersion(version) })),
    listWorkers: unary(Control.listWorkers, async () => ({
      record: (await builds.workers()) ?? [],
    })),
    solve: unary(Control.solve, async (request, { signal }) => {
      const job = new Job(request);
      const exporterResponse = await builds.jobs.run(job, signal, () =>
        recorded(history, job, () => build(builds, job)),
      );
      return { exporterResponse: Object.entries(exporterResponse) };
    }),
    status: streaming(Control.status, async function* ({ ref }, { signal }) {
      const progress = await builds.jobs.progress(ref);
      yield* progress.follow(signal);
    }),
    session: duplex(Control.session, async function* (requests, { header }) {
      sessions.check(header("x-docker-expose-session-uuid") ?? "");
      const tunnel = new Tunnel(requests);
      const served = sessions.serve(tunnel, header);
      yield* tunnel.outgoing();
      tunnel.destroy();
      await served;
    }),
    diskUsage: unary(Control.diskUsage, async ({ filter }) => ({
      record: await usageRecords(builds.solver, filter),
    })),
    prune: streaming(Control.prune, async function* (request) {
      yield* await pruneRecords(builds.solver, request);
    }),
    listenBuildHistory: streaming(Control.listenBuildHistory, (query, { signal }) =>
      history.listen(query, signal),
    ),
    updateBuildHistory: unary(Control.updateBuildHistory, (change) => {
      if (!change.finalize) history.update(change);
      return {};
    }),
  };
}

/** Carries out a build, or waits for what its client makes of it through the gateway; then its outputs. */
async function build(builds: Builds, job: Job): Promise<Record<string, string>> {
  const { signal } = job;
  try {
    const caches = cacheExports(job);
    const refs = await resultRefs(builds, job);
    const told = await exportResult(builds, { job, refs, signal });
    return { ...told, ...(await writeCaches(builds, { job, caches, refs, signal })) };
  } catch (error) {
    throw buildError(error, job);
  } finally {
    await job.containers.close();
    for (const id of job.results) builds.solutions.release(id);
  }
}

/** The results that the build came to: none where the client wanted none. */
async function resultRefs(builds: Builds, job: Job): Promise<readonly string[]> {
  const { request, signal } = job;
  if (request.frontend !== "") {
    const { frontend, frontendAttrs: frontendOpt, frontendInputs, cache } = request;
    const result = await solve(builds, {
      ...{ job, signal },
      asked: { frontend, frontendOpt, frontendInputs, cacheImports: cache?.imports ?? [] },
    });
    return result.refs.map(({ id }) => id);
  }
  if (request.definition && request.definition.def.length > 0)
    return [resultOf(request.definition)];
  const { result, error } = await job.returned();
  if (error) {
    const { code, message } = error;
    throw new StatusError({ code, message, details: Status.encode(error) });
  }
  const refs = result?.refs?.refs.values() ?? (result?.ref ? [result.ref] : []);
  return [...refs].map(({ id }) => id).filter((id) => id !== "");
}

/** Has the history tell of a build, but for those that clients make to ask what the engine can do. */
async function recorded(
  history: History,
  job: Job,
  work: () => Promise<Record<string, string>>,
): Promise<Record<string, string>> {
  const { ref, request } = job;
  if (request.internal) return await work();
  const { frontend, exporters } = request;
  const frontendAttrs = [...request.frontendAttrs].map(
    ([name, value]) => [name, value.slice(0, maxRememberedText)] as const,
  );
  const record: BuildRecord = { ref, frontend, frontendAttrs, exporters, createdAt: now() };
  const end = (more: Partial<BuildRecord>) =>
    history.note({ ...record, ...job.counts(), ...more, completedAt: now() });
  history.note(record);
  try {
    const exporterResponse = await work();
    end({ exporterResponse: Object.entries(exporterResponse) });
    return exporterResponse;
  } catch (error) {
    const { code, message } = error instanceof StatusError ? error.status : faultOf(error);
    end({ error: { code: Number(code), message } });
    throw error;
  }
}
