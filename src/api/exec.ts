import { defined, Fault, faultOf, isFault } from "#base";
import type { Engine, Exec } from "#engine";
import { type ExecInspect, encodeFrame, RAW_STREAM } from "#wire";
import { detachFilter, streamType } from "./container-streams.ts";
import { sizeOf } from "./containers.ts";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { join, leave, type RawConnection } from "./hijack.ts";
import { framedFor } from "./reframe.ts";
import type { Route } from "./router.ts";
import { launchFault, runningContainerOf } from "./wording.ts";

const refused = "OCI runtime exec failed: exec failed";
const startFailed = `${refused}: unable to start container process`;

/** Create, start, resize and inspect of execs. */
export function execRoutes(context: ApiContext): readonly Route[] {
  const detachKeys = new DetachKeys();
  return [
    {
      method: "POST",
      pattern: "/containers/:id/exec",
      handle: (exchange) => create(context, exchange, detachKeys),
    },
    {
      method: "POST",
      pattern: "/exec/:id/start",
      handle: (exchange) => start(context, exchange, detachKeys),
      upgrade: "tcp",
    },
    {
      method: "POST",
      pattern: "/exec/:id/resize",
      handle: (exchange) => resize(context, exchange),
    },
    {
      method: "GET",
      pattern: "/exec/:id/json",
      handle: (exchange) => inspect(context, exchange, detachKeys),
    },
  ];
}

/**
 * The detach keys of execs that were created with keys of their own; the engine has no use for
 * them. The oldest give way.
 */
class DetachKeys {
  readonly #keys = new Map<string, string>();

  set(id: string, keys: string): void {
    this.#keys.set(id, keys);
    const oldest = this.#keys.keys().next();
    if (this.#keys.size > 1_000 && !oldest.done) this.#keys.delete(oldest.value);
  }

  get(id: string): string | undefined {
    return this.#keys.get(id);
  }
}

function execOf(engine: Engine, id: string): Exec {
  try {
    return engine.execs.get(id);
  } catch (cause) {
    if (!isFault(cause, "not_found")) throw cause;
    throw new Fault("not_found", `No such exec instance: ${id}`, { about: id, cause });
  }
}

/** dockerd answers 500, as to all errors that it gives no kind. */
const badKeys = (keys: string | undefined) =>
  new Fault("internal", `Invalid escape keys (${keys}) provided`);

async function create(
  { engine, schemas }: ApiContext,
  exchange: Exchange,
  detachKeys: DetachKeys,
): Promise<void> {
  const body = await exchange.json(schemas.execCreateSchema);
  const argv = typeof body.Cmd === "string" ? [body.Cmd] : (body.Cmd ?? []);
  if (argv.length === 0) throw new Fault("invalid", "No exec command specified");
  const containerId = runningContainerOf(engine, exchange.param("id"));
  const tty = body.Tty ?? false;
  detachFilter(tty, body.DetachKeys ?? undefined, badKeys);
  const [rows, columns] = consoleSize(exchange, body);
  const id = await engine.execs.create(containerId, {
    argv,
    env: body.Env ?? [],
    workingDir: body.WorkingDir ?? "",
    user: body.User ?? "",
    privileged: body.Privileged ?? false,
    tty,
    attachStdin: body.AttachStdin ?? false,
    attachStdout: body.AttachStdout ?? false,
    attachStderr: body.AttachStderr ?? false,
    ...(rows && columns ? { rows, columns } : {}),
  });
  if (body.DetachKeys) detachKeys.set(id, body.DetachKeys);
  exchange.sendJson(201, { Id: id });
}

function consoleSize(
  exchange: Exchange,
  { ConsoleSize }: { readonly ConsoleSize?: readonly number[] | null | undefined },
): readonly number[] {
  return exchange.has("consoleSize") ? (ConsoleSize ?? []) : [];
}

/**
 * As dockerd: the connection is taken first and the program starts then; a failure after that is
 * told in the stream.
 */
async function start(
  { engine, schemas }: ApiContext,
  exchange: Exchange,
  detachKeys: DetachKeys,
): Promise<void> {
  const body = await exchange.json(schemas.execStartSchema);
  const { id, containerId, request } = execOf(engine, exchange.param("id"));
  const [rows, columns] = consoleSize(exchange, body);
  const size = rows && columns ? { rows, columns } : {};
  const tty = body.Tty ?? false;
  runningContainerOf(engine, containerId);
  const launch = async (detach: boolean) => {
    try {
      return await engine.execs.start(id, { detach, ...size });
    } catch (error) {
      throw startFault(faultOf(error));
    }
  };
  if (body.Detach) {
    await launch(true);
    return exchange.sendEmpty(200);
  }
  const detach = detachFilter(request.tty, detachKeys.get(id), badKeys);
  const connection = await exchange.hijack(
    exchange.upgrades ? streamType(exchange, tty) : RAW_STREAM,
  );
  try {
    const attached = await launch(false);
    if (!attached) throw new Fault("internal", `exec ${id} has no stream`, { about: id });
    const stdin = request.attachStdin;
    await join(connection, framedFor(tty, attached), { stdin, ...defined({ detach }) });
  } catch (error) {
    await complain(connection, tty, faultOf(error).message);
  }
}

function startFault(fault: Fault): Fault {
  if (fault.stage !== "cwd" || fault.errno !== undefined) return launchFault(fault, startFailed);
  return new Fault("invalid", `${refused}: Cwd must be an absolute path`, { cause: fault });
}

/** As output of the program that does not run; the status is in the exec's exit code. */
async function complain(
  { socket, headTaken }: RawConnection,
  tty: boolean,
  message: string,
): Promise<void> {
  const text = Buffer.from(`${message}\r\n`);
  await headTaken();
  socket.write(tty ? text : encodeFrame("stdout", text));
  leave(socket);
}

async function resize({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const size = sizeOf(exchange);
  const { id } = execOf(engine, exchange.param("id"));
  await engine.execs.resize(id, size);
  exchange.sendEmpty(200);
}

function inspect({ engine }: ApiContext, exchange: Exchange, detachKeys: DetachKeys): void {
  const exec = execOf(engine, exchange.param("id"));
  const { request } = exec;
  const [entrypoint = "", ...rest] = request.argv;
  const answer: ExecInspect = {
    ID: exec.id,
    Running: exec.running,
    ExitCode: exec.exitCode ?? null,
    ProcessConfig: {
      tty: request.tty,
      entrypoint,
      arguments: rest,
      privileged: request.privileged,
      ...defined({ user: request.user || undefined }),
    },
    OpenStdin: request.attachStdin,
    OpenStderr: request.attachStderr,
    OpenStdout: request.attachStdout,
    CanRemove: false,
    ContainerID: exec.containerId,
    DetachKeys: detachKeys.get(exec.id) ?? "",
    Pid: exec.pid,
  };
  exchange.sendJson(200, answer);
}
