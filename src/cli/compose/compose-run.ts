import { readFile } from "node:fs/promises";
import { formatHost } from "#client";
import {
  type ObservedProject,
  openProjectToRun,
  type Project,
  planObserved,
  type ServicePlan,
} from "#compose";
import { observeProject, type Run } from "#orchestrator";
import type { Context } from "../context.ts";
import { type ProgressMode, ProgressView } from "./progress-view.ts";
import { openedOrName, type ProjectFlags, warningLine } from "./project.ts";

/** A call of a verb that changes a project: how it reports, and how it is broken off. */
export interface ComposeCall {
  readonly run: Run;
  readonly view: ProgressView;
  readonly warn: (message: string) => Promise<void>;
}

/** The parts of a run that the project's files give. */
type FromFiles = Pick<Run, "environment" | "imageId" | "keepsVolumes">;

/** Opens a call; its report is on the standard error when `end` of its view has settled. */
export function openCall(
  context: Context,
  options: Partial<FromFiles> & {
    readonly progress: ProgressMode | undefined;
    readonly timeout?: number | undefined;
    readonly signal: AbortSignal;
  },
): ComposeCall {
  const view = new ProgressView(context, options.progress ?? "auto");
  const run: Run = {
    client: context.client,
    report: view.report,
    signal: options.signal,
    environment: options.environment ?? new Map(),
    proxies: context.settings.proxies(formatHost(context.host.host)),
    imageId: options.imageId ?? (() => ""),
    readFile: async (path) => await readFile(path),
    timeout: options.timeout,
    keepsVolumes: options.keepsVolumes ?? true,
  };
  return { run, view, warn: (message) => context.err.write(warningLine(message)) };
}

/** A project that is there: its files where they are known, and what the engine has of it. */
export interface FoundProject {
  readonly name: string;
  readonly project: Project | undefined;
  readonly environment: ReadonlyMap<string, string>;
  readonly observed: ObservedProject;
}

/**
 * Finds a project by its files, or by its name alone where that is given and no file is.
 * @throws Fault in docker compose's words
 */
export async function findProject(context: Context, flags: ProjectFlags): Promise<FoundProject> {
  const { name, opened } = await openedOrName(context, flags, (request) =>
    openProjectToRun(request),
  );
  const observed = await observeProject(context.client, name);
  const environment = opened?.environment ?? new Map<string, string>();
  return { name, project: opened?.all, environment, observed };
}

/** The services of a project that are there, those that others depend on first. */
export function servicesOf(found: FoundProject, named: readonly string[]): ServicePlan[] {
  return planObserved(found.observed, found.project, named);
}
