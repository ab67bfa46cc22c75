import { defined, Fault, faultOf } from "#base";
import { readsLog } from "#container";
import {
  DetachFilter,
  defaultDetachKeys,
  encodeFrame,
  MULTIPLEXED_STREAM,
  parseDetachKeys,
  RAW_STREAM,
  TAR_TYPE,
} from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { join } from "./hijack.ts";
import { mergedOutput } from "./reframe.ts";
import type { Route } from "./router.ts";
import { containerOf } from "./wording.ts";

/** Logs, attach and export. */
export function containerStreamRoutes(context: ApiContext): readonly Route[] {
  return [
    {
      method: "GET",
      pattern: "/containers/:id/logs",
      handle: (exchange) => logs(context, exchange),
    },
    {
      method: "POST",
      pattern: "/containers/:id/attach",
      handle: (exchange) => attach(context, exchange),
      upgrade: "tcp",
    },
    {
      method: "GET",
      pattern: "/containers/:id/attach/ws",
      handle: (exchange) => attachWebSocket(context, exchange),
      upgrade: "websocket",
    },
    {
      method: "GET",
      pattern: "/containers/:id/export",
      handle: (exchange) => exportTree(context, exchange),
    },
  ];
}

/** The Content-Type of output: raw from a terminal, framed otherwise. */
export function streamType(exchange: Exchange, tty: boolean): string {
  return tty || !exchange.has("framedType") ? RAW_STREAM : MULTIPLEXED_STREAM;
}

async function logs({ engine, log }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const container = containerOf(engine, exchange.param("id"));
  const stdout = query.flag("stdout");
  const stderr = query.flag("stderr");
  if (!stdout && !stderr)
    throw new Fault("invalid", "Bad parameters: you must choose at least one stream");
  if (!readsLog(container.host.LogConfig))
    throw new Fault("unsupported", "configured logging driver does not support reading");
  const since = query.timestamp("since");
  const until = query.timestamp("until");
  const tail = tailOf(exchange);
  const source = engine.containers.logs(container.id, {
    follow: query.flag("follow"),
    stdout,
    stderr,
    timestamps: query.flag("timestamps"),
    details: query.flag("details"),
    ...(since !== undefined && since > 0n && { since }),
    ...(until !== undefined && until > 0n && { until }),
    ...defined({ tail }),
    signal: exchange.signal,
  });
  const { Tty: tty } = container.config;
  try {
    await exchange.stream(streamType(exchange, tty), source, { atOnce: true });
  } catch (error) {
    if (exchange.signal.aborted) return;
    const { message } = faultOf(error);
    log.warn("reading a log failed", { container: container.id, error: message });
    const text = Buffer.from(`Error grabbing logs: ${message}\n`);
    exchange.response.end(tty ? text : encodeFrame("system", text));
  }
}

/** "all" and anything that is not a number mean every line, as in Docker. */
function tailOf({ query }: Exchange): number | undefined {
  const text = query.text("tail") ?? "all";
  return /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}

/** The filter of a terminal's input; undefined where keys have no meaning. Bad ones are refused in either case. */
export function detachFilter(
  tty: boolean,
  keys: string | undefined,
  refusal: (keys: string | undefined) => Fault,
): DetachFilter | undefined {
  try {
    const bytes = parseDetachKeys(keys || defaultDetachKeys);
    return tty ? new DetachFilter(bytes) : undefined;
  } catch {
    throw refusal(keys);
  }
}

const badKeys = (keys: string | undefined) =>
  new Fault("invalid", `Invalid detach keys (${keys}) provided`);

/** The container of an attach, if one can attach to it now, and the filter of its input. */
function attachable({ engine }: ApiContext, exchange: Exchange) {
  const ref = exchange.param("id");
  const container = containerOf(engine, ref);
  const { id, config, state } = container;
  const detach = detachFilter(config.Tty, exchange.query.text("detachKeys"), badKeys);
  if (state.status === "paused")
    throw new Fault("conflict", `container ${ref} is paused, unpause the container before attach`);
  if (state.status === "restarting")
    throw new Fault(
      "conflict",
      `container ${id} is restarting, wait until the container is running`,
    );
  return { id, config, detach };
}

/** As dockerd: what is wrong is told in plain text, in the type of a stream. */
async function attach(context: ApiContext, exchange: Exchange): Promise<void> {
  let found: ReturnType<typeof attachable>;
  try {
    found = attachable(context, exchange);
  } catch (error) {
    return exchange.sendFault(faultOf(error), RAW_STREAM);
  }
  await attachTo(context, exchange, found);
}

async function attachTo(
  { engine }: ApiContext,
  exchange: Exchange,
  { id, config, detach }: ReturnType<typeof attachable>,
): Promise<void> {
  const { query } = exchange;
  const stdin = query.flag("stdin") && config.OpenStdin;
  // As dockerd: the connection first. A container that is not started yet is attached to
  // before the client can have read the answer and ask for the start.
  const connection = await exchange.hijack(
    exchange.upgrades ? streamType(exchange, config.Tty) : RAW_STREAM,
  );
  const attached = await engine.containers.attach(id, {
    stdin,
    stdout: query.flag("stdout"),
    stderr: query.flag("stderr"),
    logs: query.flag("logs"),
    stream: query.flag("stream"),
  });
  await join(connection, attached, { stdin, ...defined({ detach }) });
}

/** The output is not in frames: standard output and errors come in the same messages. */
async function attachWebSocket(context: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const { id, config, detach } = attachable(context, exchange);
  const connection = exchange.openWebSocket({ text: !exchange.has("binaryMessages") });
  if (!connection) return;
  const wants = (name: string) => !exchange.has("websocketStreams") || query.flag(name);
  const stdin = wants("stdin") && config.OpenStdin;
  const attached = await context.engine.containers.attach(id, {
    stdin,
    stdout: wants("stdout"),
    stderr: wants("stderr"),
    logs: query.flag("logs"),
    stream: query.flag("stream"),
  });
  await join(connection, mergedOutput(attached), { stdin, ...defined({ detach }) });
}

async function exportTree({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { id } = containerOf(engine, exchange.param("id"));
  await exchange.stream(TAR_TYPE, engine.containers.export(id));
}
