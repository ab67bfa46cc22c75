import { defined, visibleText } from "#base";
import { openDockerConfig } from "#client";
import { baseImages } from "#dockerfile";
import { hostPlatform, parseReference } from "#image";
import type {
  AuthConfig,
  BuildBody,
  BuildEntry,
  BuildFailure,
  BuildMessage,
  BuildResult,
} from "#wire";
import { cancellable } from "../cancellable.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import { authFor } from "../registry-auth.ts";
import type { buildFlags } from "../table/build.ts";
import { annotated } from "./build-annotations.ts";
import { parseCaches, receiveCaches, sendCaches } from "./build-caches.ts";
import { failureReport } from "./build-failure.ts";
import { type BuildOutput, parseOutputs } from "./build-outputs.ts";
import { requestOptions } from "./build-request.ts";
import { type BuildShow, openShow } from "./build-show.ts";
import { type BuildSource, contextOf, findSource } from "./build-source.ts";
import { enterFailed, enterStep, requireInput } from "./enter-step.ts";
import { commitTime } from "./git-tree.ts";
import { sendNamedContexts } from "./named-contexts.ts";
import { receiveOutputs } from "./receive-outputs.ts";
import { writeResultFiles } from "./result-files.ts";
import { sendSource } from "./send-source.ts";

type BuildFlags = Values<typeof buildFlags>;

/** A build by the engine, or with --watch one after the other; gives the exit status. */
export async function runBuild(context: Context, path: string, flags: BuildFlags): Promise<number> {
  const entersFailed = flags["on-error"] === "shell";
  if (entersFailed) requireInput(path, flags.file);
  if (entersFailed && flags.watch)
    throw new Exit(1, "thimble: --watch and --on-error=shell cannot be used together");
  const enter = entersFailed ? (entry: BuildEntry) => enterFailed(context, entry) : undefined;
  const build = () => buildOnce(context, { path, flags, enter });
  if (!flags.watch) return await build();
  const { file, iidfile, "metadata-file": metadata } = flags;
  const places = parseOutputs(flags.output, flags).map(({ dest }) => dest);
  const caches = parseCaches("cache-to", flags["cache-to"]).map(
    ({ attributes }) => attributes.dest,
  );
  const written = [...places, ...caches, iidfile, metadata].filter((each) => each !== undefined);
  const { watchBuild } = await import("./watch-build.ts");
  return await watchBuild(context, { path, file, written }, build);
}

/**
 * Builds as far as a step, or to the end, and runs a program there; gives its exit status. A RUN that
 * fails before is entered in its place.
 */
export async function shellBuild(
  context: Context,
  call: {
    readonly path: string;
    readonly flags: BuildFlags;
    readonly step: string;
    readonly command: readonly string[];
  },
): Promise<number> {
  const { path, flags, step, command } = call;
  requireInput(path, flags.file);
  let status = 1;
  const enter = async (entry: BuildEntry) => {
    status = await enterStep(context, entry, command);
  };
  await buildOnce(context, { path, flags, enter, entry: step });
  return status;
}

interface BuildCall {
  readonly path: string;
  readonly flags: BuildFlags;
  /** Enters a step that the engine offers; absent: none is wanted. */
  readonly enter?: ((entry: BuildEntry) => Promise<void>) | undefined;
  /** The step to enter in place of a result. */
  readonly entry?: string;
}

async function buildOnce(context: Context, call: BuildCall): Promise<number> {
  const { path, flags, enter, entry } = call;
  const options = requestOptions(context, flags);
  const outputs = annotated(parseOutputs(flags.output, flags), flags.annotation);
  const cacheFrom = parseCaches("cache-from", flags["cache-from"]);
  const cacheTo = parseCaches("cache-to", flags["cache-to"]);
  refuseTerminal(context, outputs);
  const source = await findSource(context, { path, file: flags.file });
  const { files } = source;
  const committed =
    options.epoch === undefined && files.kind === "directory"
      ? commitTime(files.directory.directory)
      : undefined;
  const show = openShow(context, flags);
  let reasons = "";
  const result = await cancellable(async (signal) => {
    try {
      const work = { context, show, signal };
      const id = await sendSource(source, work);
      const epoch = options.epoch ?? (await committed);
      const body: BuildBody = {
        ...options,
        ...(epoch === undefined ? {} : { epoch }),
        ...contextOf(source, id),
        contexts: await sendNamedContexts(flags["build-context"], work),
        ...{ enter: enter !== undefined, ...defined({ entry }) },
        outputs: outputs.map(({ type, attributes }) => ({ type, attributes: { ...attributes } })),
        cacheFrom: await sendCaches(cacheFrom, work),
        cacheTo: cacheTo.map(({ type, attributes }) => ({ type, attributes: { ...attributes } })),
      };
      const credentials = await credentialsFor(context, { source, body, outputs });
      const messages = context.client.builds.run(body, { credentials, signal });
      const made = await follow(messages, show, enter);
      if (flags.explain) reasons = reasonsOf(show);
      if (made.kind === "error") throw new Exit(1, report(made, { show, source, flags }));
      await receiveOutputs(outputs, made, work);
      await receiveCaches(cacheTo, made, work);
      return made;
    } finally {
      await show.end();
      if (reasons !== "") await context.err.write(reasons);
    }
  }, "ERROR: failed to build: failed to solve: Canceled: context canceled");
  await writeResultFiles(flags, result, options.tags ?? []);
  if (flags.quiet && result.image !== undefined) await context.out.write(`${result.image}\n`);
  return 0;
}

/** What made each step run, for those of which the engine has told it. */
function reasonsOf({ progress }: BuildShow): string {
  const lines = progress.steps.flatMap(({ name, reason }) =>
    reason === undefined ? [] : [`  ${name}\n    ${visibleText(reason)}\n`],
  );
  return lines.length === 0
    ? "\nNo step ran: all were cached.\n"
    : `\nWhy steps ran:\n${lines.join("")}`;
}

async function follow(
  messages: AsyncIterable<BuildMessage>,
  show: BuildShow,
  enter: BuildCall["enter"],
): Promise<BuildResult | BuildFailure> {
  for await (const message of messages) {
    if (message.kind === "result" || message.kind === "error") return message;
    if (message.kind === "entry") {
      await show.end();
      await enter?.(message);
    } else await show.message(message);
  }
  throw new Exit(1, "ERROR: failed to build: the engine ended the build without a result");
}

function report(
  failure: BuildFailure,
  { show, source, flags }: { show: BuildShow; source: BuildSource; flags: BuildFlags },
): string {
  const progress = flags.quiet ? undefined : show.progress;
  const { shownName: file, dockerfile } = source;
  return failureReport(failure, { progress, file, dockerfile });
}

function refuseTerminal({ out }: Context, outputs: readonly BuildOutput[]): void {
  const found = outputs.find(({ dest }) => dest === "-");
  if (!found || !out.isTerminal) return;
  throw new Exit(
    1,
    `ERROR: failed to build: dest file is required for ${found.type} exporter. refusing to write to console`,
  );
}

/** Of the registries of base images and tags; where the Dockerfile is not known yet, of all. */
async function credentialsFor(
  context: Context,
  asked: {
    readonly source: BuildSource;
    readonly body: BuildBody;
    readonly outputs: readonly BuildOutput[];
  },
): Promise<Record<string, AuthConfig>> {
  const { source, body, outputs } = asked;
  const found: Record<string, AuthConfig> = {};
  if (source.dockerfile === undefined) {
    const config = await openDockerConfig(context.env);
    for (const host of await config.registries()) {
      const auth = await config.credentials(host);
      if (auth) found[host] = auth;
    }
    return found;
  }
  const caches = [...(body.cacheFrom ?? []), ...(body.cacheTo ?? [])];
  const refs = caches.flatMap(({ attributes }) => attributes?.ref ?? []);
  const pushes = outputs.some(({ attributes }) => attributes.push === "true");
  const names = [
    ...basesOf(source.dockerfile, body),
    ...(pushes ? (body.tags ?? []) : []),
    ...refs,
  ];
  for (const name of new Set(names)) {
    const domain = domainOf(name);
    if (domain === undefined || domain in found) continue;
    const auth = await authFor(context, name);
    if (auth) found[domain] = auth;
  }
  return found;
}

/** What is wrong with a Dockerfile or a name is for the engine to say. */
function basesOf(dockerfile: string, { buildArgs = {}, target }: BuildBody): readonly string[] {
  const platform = hostPlatform();
  try {
    return baseImages(dockerfile, {
      buildArgs: new Map(Object.entries(buildArgs)),
      buildPlatform: platform,
      targetPlatform: platform,
      ...(target === undefined ? {} : { target }),
    });
  } catch {
    return [];
  }
}

function domainOf(name: string): string | undefined {
  try {
    return parseReference(name).domain;
  } catch {
    return undefined;
  }
}
