import { PassThrough, type Readable } from "node:stream";
import { type ContainerId, type ExecId, endOf, Fault, faultOf, newId, poll } from "#base";
import type { StartedExec, Task, TaskProcess } from "#task";
import { attachedStream } from "../containers/attach.ts";
import { publishContainer } from "../containers/container-event.ts";
import type { ContainerRecord } from "../containers/container-record.ts";
import { type LiveContainer, requireRunning } from "../containers/live-container.ts";
import { describeStartFailure } from "../containers/start-failure.ts";
import type { ResolvedUser } from "../containers/user.ts";
import { lookupUser } from "../containers/user-lookup.ts";
import type { AttachedStream, Exec, ExecRequest, Execs } from "../contract.ts";
import { crashPoint } from "../crash-point.ts";
import type { Parts } from "../parts.ts";
import { execSpec } from "./exec-spec.ts";

/** An exec as the engine holds it; in memory only, as Docker does. */
export interface LiveExec extends Exec {
  readonly status: "created" | "starting" | "running" | "ended";
  /** As its name was resolved at create. */
  readonly user: ResolvedUser;
  /** The start time of the container's run that it was created in. */
  readonly runStart: bigint;
  /** While it runs. */
  readonly process?: TaskProcess;
}

/** The parts that execs touch: no networks, no images, nothing that outlives the engine. */
type ExecParts = Parts<
  "tasks" | "snapshots" | "store" | "events" | "live" | "execs" | "background" | "closing"
>;

/** How long the size of a terminal waits for the start of its exec: 10 seconds, as in Docker. */
const startPatience = { attempts: 204, base: 1, max: 50 };

/** Execs remembered at most; the oldest that have ended are forgotten first. */
const maxExecs = 4096;

/** The execs of an engine's containers. */
export class ContainerExecs implements Execs {
  readonly #parts: ExecParts;
  /** Those of runs in which nobody asked for another. */
  readonly #defaultUsers = new WeakMap<Task, ResolvedUser>();

  constructor(parts: ExecParts) {
    this.#parts = parts;
  }

  async create(ref: string, request: ExecRequest): Promise<ExecId> {
    const parts = this.#parts;
    const record = parts.store.find(ref);
    const { task } = requireRunning(parts, record, ref);
    if (request.argv.length === 0) throw new Fault("invalid", "No exec command specified");
    // Docker says so now; everything else that is wrong with the program is told at its start.
    const user = await this.#userOf(task, record, request);
    makeRoom(parts);
    const id = newId<ExecId>();
    parts.execs.set(id, {
      id,
      containerId: record.id,
      request,
      user,
      runStart: record.startTime,
      status: "created",
      running: false,
      pid: 0,
    });
    publishExec(parts, record, `exec_create: ${commandLine(request)}`, id);
    return id;
  }

  async start(
    id: string,
    options: { readonly detach: boolean; readonly rows?: number; readonly columns?: number },
  ): Promise<AttachedStream | undefined> {
    const parts = this.#parts;
    const exec = this.#find(id);
    if (exec.status === "ended") {
      throw new Fault("conflict", `exec command ${id} has already run`, { about: id });
    }
    if (exec.status !== "created") {
      throw new Fault("conflict", `exec command ${id} is already running`, { about: id });
    }
    const record = parts.store.find(exec.containerId);
    const live = requireRunning(parts, record);
    change(parts, exec.id, { status: "starting" });
    publishExec(parts, record, `exec_start: ${commandLine(exec.request)}`, exec.id);
    try {
      return await launchExec(parts, { exec, record, live, options });
    } catch (error) {
      const failure = describeStartFailure(faultOf(error), exec.request.argv[0] ?? "");
      change(parts, exec.id, { status: "ended", exitCode: failure.exitCode });
      throw failure.fault;
    }
  }

  async resize(
    id: string,
    size: { readonly rows: number; readonly columns: number },
  ): Promise<void> {
    const parts = this.#parts;
    const isPending = () => ["created", "starting"].includes(this.#find(id).status);
    requireRunning(parts, parts.store.find(this.#find(id).containerId));
    // A client sizes the terminal while its start is still on the way.
    if (!(await poll(() => !isPending(), startPatience)))
      throw new Fault("timeout", "timeout waiting for exec session ready", { about: id });
    const { process, request } = this.#find(id);
    if (!process) {
      const why = `NotFound: process does not exist ${id}: not found`;
      throw new Fault("not_found", why, { about: id });
    }
    // As of a container: what is no terminal has no size to set.
    if (request.tty) await process.resize(size);
  }

  get(id: string): Exec {
    return this.#find(id);
  }

  container(ref: string): ContainerId {
    const record = this.#parts.store.find(ref);
    requireRunning(this.#parts, record, ref);
    return record.id;
  }

  /** As in Docker, where neither names a user the files of the container are not read again: a run keeps its own. */
  async #userOf(task: Task, record: ContainerRecord, request: ExecRequest): Promise<ResolvedUser> {
    const { config, host } = record;
    const name = request.user || config.User;
    const kept = name === "" ? this.#defaultUsers.get(task) : undefined;
    if (kept) return kept;
    const wanted = { user: name, groupAdd: host.GroupAdd };
    const user = await lookupUser(this.#parts.snapshots, record.id, wanted);
    if (name === "") this.#defaultUsers.set(task, user);
    return user;
  }

  #find(id: string): LiveExec {
    const exec = this.#parts.execs.get(id as ExecId);
    if (exec && !isOfPastRun(this.#parts, exec)) return exec;
    throw new Fault("not_found", `No such exec instance: ${id}`, { about: id });
  }
}

/** An exec that nobody started goes with the run of its container, as in Docker. */
function isOfPastRun(parts: Parts<"store">, { status, containerId, runStart }: LiveExec): boolean {
  return status === "created" && parts.store.get(containerId)?.startTime !== runStart;
}

function makeRoom(parts: Parts<"execs">): void {
  if (parts.execs.size < maxExecs) return;
  for (const [id, exec] of parts.execs) {
    if (exec.status !== "ended") continue;
    parts.execs.delete(id);
    return;
  }
  throw new Fault("exhausted", `there are ${maxExecs} execs that have not ended`);
}

function change(parts: Parts<"execs">, id: ExecId, to: Partial<LiveExec>): void {
  const exec = parts.execs.get(id);
  if (exec) parts.execs.set(id, { ...exec, ...to });
}

/** As Docker joins them: the space behind the program stays when there are no arguments. */
function commandLine({ argv: [program = "", ...rest] }: ExecRequest): string {
  return `${program} ${rest.join(" ")}`;
}

function publishExec(
  parts: Parts<"events">,
  record: ContainerRecord,
  action: string,
  id: ExecId,
  extra: Readonly<Record<string, string>> = {},
): void {
  publishContainer(parts, record, action, { execID: id, ...extra });
}

interface ExecStart {
  readonly exec: LiveExec;
  readonly record: ContainerRecord;
  readonly live: LiveContainer;
  readonly options: Parameters<Execs["start"]>[1];
}

async function launchExec(parts: ExecParts, start: ExecStart): Promise<AttachedStream | undefined> {
  const { exec } = start;
  const { process, streams } = await runProgram(parts, start);
  crashPoint("exec:started");
  change(parts, exec.id, { status: "running", running: true, pid: process.pid, process });
  const known = Promise.withResolvers<void>();
  void parts.background.run(`following exec ${exec.id}`, () =>
    followExec(parts, { exec, process, known: known.resolve }).finally(known.resolve),
  );
  if (!streams) return undefined;
  const output = endingAfter(streams.output, known.promise);
  return attachedStream(streams.input, output, exec.request.tty);
}

/** Clients ask for the exit status once the output has ended, so it ends when the status is known. */
function endingAfter(source: Readable, known: Promise<void>): Readable {
  const output = new PassThrough();
  void Promise.all([endOf(source), known]).then(() => output.end());
  output.once("close", () => void source.destroy());
  return source.pipe(output, { end: false });
}

async function runProgram(
  parts: Parts<"tasks">,
  { exec, record, live, options }: ExecStart,
): Promise<StartedExec> {
  const { request } = exec;
  const { attachStdin: stdin, attachStdout: stdout, attachStderr: stderr } = request;
  const rows = options.rows ?? request.rows;
  const columns = options.columns ?? request.columns;
  return await live.task.exec({
    id: exec.id,
    ...execSpec(parts.tasks.machine, record, exec),
    stdio: {
      mode: request.tty ? "pty" : "pipes",
      stdin,
      // The input of an exec is its one client's: it ends with it.
      stdinOnce: stdin,
      ...(rows && columns && { rows, columns }),
    },
    ...(!options.detach && { attach: { stdin, stdout, stderr } }),
  });
}

interface FollowedExec {
  readonly exec: Exec;
  readonly process: TaskProcess;
  /** Called once the exit status can be asked for. */
  readonly known: () => void;
}

async function followExec(
  parts: Parts<"store" | "events" | "execs" | "closing">,
  { exec, process, known }: FollowedExec,
): Promise<void> {
  const exit = await parts.closing.until(process.exited);
  if (!exit) {
    await process[Symbol.asyncDispose]();
    return;
  }
  recordEnd(parts, exec.id, exit.exitCode);
  known();
  const record = parts.store.get(exec.containerId);
  if (record) publishExec(parts, record, "exec_die", exec.id, { exitCode: String(exit.exitCode) });
  await process.released;
}

/** The process of an exec that has ended is not kept. */
function recordEnd(parts: Parts<"execs">, id: ExecId, exitCode: number): void {
  const exec = parts.execs.get(id);
  if (!exec) return;
  const { process: _ended, ...rest } = exec;
  parts.execs.set(id, { ...rest, status: "ended", running: false, exitCode });
}

/** Ids of a container's execs that have not ended, as inspect lists them. */
export function execIdsOf(parts: Parts<"execs">, id: ContainerId): readonly ExecId[] {
  return [...parts.execs.values()]
    .filter((exec) => exec.containerId === id && exec.status !== "ended")
    .map((exec) => exec.id);
}
