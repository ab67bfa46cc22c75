import { Fault } from "#base";
import { type BuildContext, type BuildEvent, type Builder, StepFault, startRefused } from "#engine";
import { familiarString, type Reference } from "#image";
import { buildOptions } from "./build-query.ts";
import { ClassicProgress } from "./classic-progress.ts";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./router.ts";

/** POST /build as classic clients use it: a tar in, a stream of JSON messages out. */
export function buildRoutes(context: ApiContext): readonly Route[] {
  return [
    { method: "POST", pattern: "/build", handle: (exchange) => build(context, exchange) },
    { method: "POST", pattern: "/build/cancel", handle: cancel },
  ];
}

/** A classic build ends with its connection: no id that a client gives is known. */
function cancel(exchange: Exchange): void {
  if (exchange.query.text("id") === undefined) {
    throw new Fault("invalid", "build ID not provided", { about: "id" });
  }
  exchange.sendEmpty(200);
}

/** Classic clients send the owners that their files have; Docker's classic builder gives them all to root. */
const root = { uid: 0, gid: 0 };

async function build({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const { tags, ...options } = buildOptions(exchange);
  const builder = await engine.builds.builder();
  const remote = query.text("remote");
  const { context, dockerfile } =
    remote === undefined
      ? { context: await builder.archives.fromArchive(exchange.body, root) }
      : await builder.remoteContext(remote, signal);
  await using _held = context;
  const name = query.text("dockerfile") ?? "Dockerfile";
  const text = dockerfile ?? (await dockerfileIn(builder, context, name));
  const ignore = context && (await builder.readFile(context, ".dockerignore"))?.toString();
  const progress = new ClassicProgress((message) => exchange.progress(message));
  const isQuiet = query.flag("q");
  await answered(exchange, async () => {
    const report = (event: BuildEvent) => {
      if (!isQuiet) progress.take(event);
    };
    await using outcome = await builder.build({
      ...{ ...options, context, ignore, signal, report },
      dockerfile: { text, name },
    });
    const { id } = await builder.keep(outcome, { tags, annotations: [], report, signal });
    tellResult(exchange, id, { isQuiet, tags });
  });
}

async function dockerfileIn(
  builder: Builder,
  context: BuildContext | undefined,
  name: string,
): Promise<string> {
  const text = context && (await builder.readFile(context, name))?.toString();
  if (text === undefined) {
    throw new Fault("internal", `Cannot locate specified Dockerfile: ${name}`, { about: name });
  }
  if (text.trim() !== "") return text;
  throw new Fault("invalid", `the Dockerfile (${name}) cannot be empty`, { about: name });
}

function tellResult(
  exchange: Exchange,
  id: string,
  { isQuiet, tags }: { readonly isQuiet: boolean; readonly tags: readonly Reference[] },
): void {
  if (isQuiet) {
    exchange.progress({ stream: `${id}\n` });
    return;
  }
  const short = id.replace(/^sha256:/, "").slice(0, 12);
  exchange.progress({ stream: ` ---> ${short}\n` });
  exchange.progress({ aux: { ID: id } });
  exchange.progress({ stream: `Successfully built ${short}\n` });
  for (const tag of tags) {
    exchange.progress({ stream: `Successfully tagged ${familiarString(tag)}\n` });
  }
}

/**
 * A failure before the first line gets its status; later, the last line tells it, in the words of
 * the classic builder.
 */
async function answered(exchange: Exchange, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const detail = classicDetail(error);
    if (!exchange.response.headersSent && !detail.code) throw error;
    exchange.progress({ errorDetail: detail, error: detail.message });
  }
  exchange.response.end();
}

function classicDetail(error: unknown): { readonly code?: number; readonly message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof StepFault)) return { message };
  const { exitCode, command } = error.failure;
  if (exitCode === undefined || command === undefined) return { message };
  // The program was not found, or could not be executed.
  if (error.stage !== undefined) return { message: `${startRefused}: ${message}` };
  return {
    code: exitCode,
    message: `The command '${command}' returned a non-zero code: ${exitCode}`,
  };
}
