import { randomBytes } from "node:crypto";
import { defined, Fault } from "#base";
import type { EnteredStep, SandboxProcess, StepFault } from "#engine";
import { type BuildEntry, MULTIPLEXED_STREAM } from "#wire";
import { sizeOf } from "./containers.ts";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { join } from "./hijack.ts";
import { withEnd } from "./run.ts";

interface Entry {
  readonly step: EnteredStep;
  /** The build that waits for whoever enters. */
  readonly signal: AbortSignal;
  readonly left: PromiseWithResolvers<void>;
  isTaken: boolean;
  process?: SandboxProcess;
}

/** What a step is offered with. */
interface Offer {
  readonly send: (message: BuildEntry) => void;
  readonly failure: StepFault | undefined;
  readonly signal: AbortSignal;
}

/** Steps of builds under way that their clients may enter, by ids that cannot be guessed. */
export class BuildEntries {
  readonly #open = new Map<string, Entry>();

  /** Tells the client of a step; settles once it has entered and left it, or is gone. */
  async offer(step: EnteredStep, { send, failure, signal }: Offer): Promise<void> {
    const id = `entry-${randomBytes(16).toString("hex")}`;
    const entry: Entry = { step, signal, left: Promise.withResolvers(), isTaken: false };
    this.#open.set(id, entry);
    const leave = () => {
      if (!entry.isTaken) entry.left.resolve();
      else void entry.process?.kill(9).catch(() => undefined);
    };
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    const { name, hasFailed, program, operation } = step;
    const command = program.argv.join(" ") || undefined;
    const keepsCaches = operation.mounts.some(({ type }) => type === "cache");
    send({
      ...{ kind: "entry", id, name, hasFailed, keepsCaches },
      ...defined({ command, message: failure?.message }),
    });
    try {
      await entry.left.promise;
    } finally {
      signal.removeEventListener("abort", leave);
      this.#open.delete(id);
    }
  }

  /** Runs a program in the place of a step; the body is that of an exec, the answer a stream as that of a run. */
  async enter({ log, schemas }: ApiContext, exchange: Exchange): Promise<void> {
    const body = await exchange.json(schemas.execCreateSchema);
    const entry = this.#find(exchange.param("id"));
    if (entry.isTaken) throw new Fault("conflict", "somebody has entered this step already");
    entry.isTaken = true;
    try {
      const { step, signal } = entry;
      await using sandbox = await step.open();
      const { ConsoleSize: size, AttachStdin: stdin = false, Tty: tty = false } = body;
      const [rows = 0, columns = 0] = size ?? [];
      await using process = await sandbox.start({
        ...{ env: sandbox.env, cwd: step.program.cwd, user: step.program.user },
        argv: typeof body.Cmd === "string" ? [body.Cmd] : (body.Cmd ?? []),
        ...{ tty: tty === true, stdin: stdin === true },
        ...(rows > 0 && columns > 0 && { size: { rows, columns } }),
      });
      signal.throwIfAborted();
      entry.process = process;
      const connection = await exchange.hijack(MULTIPLEXED_STREAM);
      const end = async () => ({ StatusCode: (await process.ended).exitCode });
      await join(connection, withEnd(process, { log, end }), { stdin: stdin === true });
    } finally {
      entry.left.resolve();
    }
  }

  /** The size of the terminal of that program. */
  async resize(exchange: Exchange): Promise<void> {
    const size = sizeOf(exchange);
    const { process } = this.#find(exchange.param("id"));
    if (!process) throw new Fault("conflict", "nobody has entered this step yet");
    await process.resize(size);
    exchange.sendEmpty(200);
  }

  #find(id: string): Entry {
    const entry = this.#open.get(id);
    if (!entry) throw new Fault("not_found", `No such step to enter: ${id}`, { about: id });
    return entry;
  }
}
