import { isFault, visibleText } from "#base";
import type { ContainerInspect, EventMessage } from "#wire";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import type { whyFlags } from "../table/containers.ts";
import { type Finding, whyContainer } from "../why-container.ts";

/** Lines of the log that are shown as evidence. */
const logLines = 5;

export const why: Verb<typeof whyFlags> = async (context, { flags, args }) => {
  const container = await context.client.containers.inspect(args[0] ?? "");
  const findings = await findingsOf(context, container);
  const { Id, Name, State } = container;
  const name = Name.replace(/^\//, "");
  if (flags.json) {
    const shown = findings.map(({ kind, says, evidence, advice }) => ({
      Kind: kind,
      Says: says,
      Evidence: evidence,
      Advice: advice,
    }));
    const { Status, ExitCode } = State;
    await context.out.write(
      `${JSON.stringify({ Id, Name: name, Status, ExitCode, Findings: shown })}\n`,
    );
    return 0;
  }
  const head = `${context.style.bold(visibleText(name))} (${State.Status})`;
  const blocks = findings.map((finding) => block(context, finding));
  await context.out.write(`${[head, ...blocks].join("\n\n")}\n`);
  return 0;
};

/** Asks the engine for all that tells why a container is in its state. */
export async function findingsOf(
  context: Context,
  container: ContainerInspect,
): Promise<readonly Finding[]> {
  const [diagnosis, events, log] = await Promise.all([
    diagnose(context, container.Id),
    eventsOf(context, container),
    lastLines(context, container),
  ]);
  return whyContainer({ container, diagnosis, events, log, now: Date.now() });
}

/** Names, logs and errors are a stranger's: they move no terminal. */
function block({ style }: Context, { says, evidence, advice }: Finding): string {
  const [first = "", ...rest] = visibleText(says);
  return [
    `  ${first.toUpperCase()}${rest.join("")}.`,
    ...evidence.map((line) => `    ${style.dim(visibleText(line))}`),
    ...advice.map((line) => `    ${style.cyan(`-> ${visibleText(line)}`)}`),
  ].join("\n");
}

/** Undefined from an engine that is not thimble. */
async function diagnose({ client }: Context, id: string) {
  try {
    return await client.containers.diagnose(id);
  } catch (error) {
    if (isFault(error, "not_found") || isFault(error, "unsupported")) return undefined;
    throw error;
  }
}

/** Those from its latest start on. */
async function eventsOf({ client }: Context, { Id, State }: ContainerInspect) {
  const started = Date.parse(State.StartedAt);
  const found: EventMessage[] = [];
  if (!(started > 0)) return found;
  const stream = client.system.events({
    since: String(started / 1000),
    until: (Date.now() / 1000).toFixed(3),
    filters: { type: ["container"], container: [Id] },
  });
  for await (const { value } of stream) found.push(value);
  return found;
}

async function lastLines({ client }: Context, { Id, Config, State }: ContainerInspect) {
  if (State.Status === "created") return [];
  const options = { stdout: true, stderr: true, tail: String(logLines) };
  const chunks: Uint8Array[] = [];
  try {
    for await (const { bytes } of client.containers.logs(Id, Config.Tty, options))
      chunks.push(bytes);
  } catch {
    // A log that cannot be read, as that of the driver none, shows nothing.
    return [];
  }
  const lines = Buffer.concat(chunks).toString().split("\n");
  return lines.filter((line) => line.trim() !== "").map((line) => line.slice(0, 400));
}
