import { planObserved } from "#compose";
import {
  followContainer,
  killServices,
  observeProject,
  type RunContainer,
  stopServices,
} from "#orchestrator";
import type { Context } from "../context.ts";
import type { Values } from "../flag.ts";
import type { upFlags } from "../table/compose-run.ts";
import { LinePrinter } from "./line-printer.ts";
import { begin, make, type Prepared } from "./prepare-up.ts";

type UpFlags = Values<typeof upFlags>;

interface AttachedUp {
  readonly flags: UpFlags;
  readonly named: readonly string[];
  readonly prepare: (signal: AbortSignal) => Promise<Prepared>;
}

/**
 * Makes a project and shows the output of its containers until the last has ended. The first ctrl-c stops
 * them, the second kills them; before they are started it breaks off.
 */
export async function attachUp(context: Context, options: AttachedUp): Promise<number> {
  const abort = new AbortController();
  let session: Session | undefined;
  let isInterrupted = false;
  const onSignal = () => {
    isInterrupted = true;
    if (session === undefined) abort.abort();
    else session.interrupt();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  try {
    const prepared = await options.prepare(abort.signal);
    const made = await make(prepared);
    session = new Session(context, { ...options, prepared, made });
    const status = await session.run();
    return isInterrupted ? 130 : status;
  } catch (error) {
    if (isInterrupted) return 130;
    throw error;
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

interface SessionParts extends AttachedUp {
  readonly prepared: Prepared;
  readonly made: ReadonlyMap<string, readonly RunContainer[]>;
}

/** The time in which containers run and their output is shown. */
class Session {
  readonly #context: Context;
  readonly #parts: SessionParts;
  readonly #printer: LinePrinter;
  readonly #abort = new AbortController();
  #interrupts = 0;
  #status = 0;
  #ending: Promise<void> | undefined;

  constructor(context: Context, parts: SessionParts) {
    this.#context = context;
    this.#parts = parts;
    const { flags } = parts;
    this.#printer = new LinePrinter(context, {
      hasPrefix: !flags["no-log-prefix"],
      isColoured: !flags["no-color"],
      hasTime: flags.timestamps,
    });
  }

  /** Settles when the last container has ended; gives the status of the command. */
  async run(): Promise<number> {
    const { prepared, made } = this.#parts;
    const { call } = prepared;
    try {
      const followed = this.#followed();
      const names = followed.map(({ shown }) => shown);
      for (const name of names) this.#printer.add(name);
      await call.view.end();
      await this.#printer.say(`Attaching to ${names.join(", ")}`);
      const follows = await Promise.all(followed.map((one) => this.#follow(one)));
      await begin({ ...prepared, call: quietCall(call) }, made, { wait: false });
      await Promise.all(follows.map(({ ended }) => ended));
      await this.#ending;
      return this.#status;
    } catch (error) {
      if (this.#interrupts === 0) throw error;
      await this.#ending;
      return this.#status;
    } finally {
      this.#abort.abort();
      await call.view.end();
    }
  }

  /** The first stops the containers, the second kills them. */
  interrupt(): void {
    this.#interrupts += 1;
    if (this.#interrupts === 1) {
      void this.#printer.say("Gracefully Stopping... press Ctrl+C again to force");
      this.#ending ??= this.#end("stop");
    } else if (this.#interrupts === 2) this.#ending = this.#end("kill");
    this.#ending?.catch(() => undefined);
  }

  async #end(how: "stop" | "kill"): Promise<void> {
    const { plan, call } = this.#parts.prepared;
    const run = { ...call.run, signal: new AbortController().signal };
    const observed = await observeProject(this.#context.client, plan.project.name);
    const services = planObserved(observed, plan.project);
    if (how === "stop") await stopServices(run, services);
    else await killServices(run, services, "SIGKILL");
  }

  #followed() {
    const { flags, named, prepared, made } = this.#parts;
    const { project, services } = prepared.plan;
    const isShown = (name: string, attach: unknown) => {
      if (flags["no-attach"].includes(name)) return false;
      if (flags.attach.length > 0) return flags.attach.includes(name);
      if (named.length > 0 && !flags["attach-dependencies"]) return named.includes(name);
      return attach !== false;
    };
    const all = services.flatMap(({ name, service }) =>
      (made.get(name) ?? []).map((container) => ({
        ...{ container, service: name },
        shown: shortName(container.name, project.name),
        isShown: isShown(name, service.get("attach")),
      })),
    );
    return all.filter((one) => one.isShown).sort((a, b) => (a.shown < b.shown ? -1 : 1));
  }

  async #follow({
    container,
    shown,
    service,
  }: {
    readonly container: RunContainer;
    readonly shown: string;
    readonly service: string;
  }): Promise<{ readonly ended: Promise<void> }> {
    const { flags } = this.#parts;
    const from = flags["exit-code-from"];
    return await followContainer(
      this.#context.client,
      container,
      {
        onOutput: (part) => this.#printer.print(shown, part),
        onExit: async (code, isLast) => {
          await this.#printer.finish(shown);
          await this.#printer.say(`${shown} exited with code ${code}`);
          if (isLast && (from === undefined || from === service)) this.#abortOn(code);
          else if (isLast) this.#abortOn(code, false);
        },
      },
      this.#abort.signal,
    );
  }

  /** Stops all when a container has ended whose end is that of the project. */
  #abortOn(code: number, givesStatus = true): void {
    const { flags } = this.#parts;
    const isAsked =
      flags["abort-on-container-exit"] ||
      flags["exit-code-from"] !== undefined ||
      (flags["abort-on-container-failure"] && code !== 0);
    if (!isAsked) return;
    if (givesStatus && this.#status === 0) this.#status = code;
    if (this.#ending !== undefined) return;
    this.#parts.prepared.call.view.say("Aborting on container exit...");
    this.#ending = this.#end("stop");
    this.#ending.catch(() => undefined);
  }
}

/** Starts are not told while output is shown. */
const quietCall = (call: Prepared["call"]) => ({
  ...call,
  run: { ...call.run, report: () => undefined },
});

/** Without the project before it: "web-1"; a name of the user's own is whole. */
const shortName = (name: string, project: string) =>
  name.startsWith(`${project}-`) ? name.slice(project.length + 1) : name;
