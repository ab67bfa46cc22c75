import { formatBytes, isFault, shortId } from "#base";
import type { AttachedStream } from "#client";
import type { Context } from "../context.ts";
import { failureText } from "../failure.ts";
import { binarySize } from "../human.ts";
import { followSize } from "../session.ts";
import { followDetails } from "./details.ts";
import { keysOf } from "./keys.ts";
import {
  type Action,
  chosenItem,
  type Effect,
  emptyModel,
  type Item,
  type Model,
  press,
} from "./model.ts";
import { Screen } from "./screen.ts";
import { drawn } from "./view.ts";

/** The full-screen view: keys and the engine's events change the model, and the model is drawn. */
export class App {
  readonly #context: Context;
  readonly #screen: Screen;
  readonly #ended = new AbortController();
  #model: Model = emptyModel;
  /** What the lines on the right are of, and the end of following it. */
  #followed = "";
  #details = new AbortController();
  /** A program in a container has the keys and the terminal. */
  #shell: AttachedStream | undefined;
  #isDrawing = false;
  #isStale = false;
  #isRefreshing = false;
  #isOutdated = false;

  constructor(context: Context) {
    this.#context = context;
    this.#screen = new Screen(context);
  }

  /** Until the user quits, or the input ends. */
  async run(): Promise<void> {
    const redraw = () => {
      this.#screen.forget();
      this.#draw();
    };
    // Two changes that follow each other may come as one signal, before the second.
    const resized = () => {
      redraw();
      setTimeout(redraw, 100).unref();
    };
    process.on("SIGWINCH", resized);
    const end = () => this.#ended.abort();
    for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const) process.once(signal, end);
    await this.#screen.open();
    try {
      await this.#refresh();
      void this.#followEvents();
      await Promise.race([this.#readKeys(), ended(this.#ended.signal)]);
    } finally {
      this.#ended.abort();
      this.#details.abort();
      process.off("SIGWINCH", resized);
      await this.#screen.close();
    }
  }

  async #readKeys(): Promise<void> {
    for await (const bytes of this.#context.stdin.read()) {
      if (this.#shell) {
        await this.#shell.write(bytes).catch(() => undefined);
        continue;
      }
      for (const key of keysOf(bytes)) {
        const { model, effect } = press(this.#model, key);
        this.#become(model);
        if (effect.kind === "quit") return;
        if (effect.kind === "act") void this.#act(effect);
      }
    }
  }

  #become(model: Model): void {
    this.#model = model;
    const item = chosenItem(model);
    const followed = [model.panel, model.tab, item?.id, item?.state].join(" ");
    if (followed !== this.#followed) {
      this.#followed = followed;
      this.#details.abort();
      this.#details = new AbortController();
      const { signal } = this.#details;
      const show = (lines: readonly string[]) => {
        if (!signal.aborted) this.#become({ ...this.#model, lines });
      };
      void followDetails(this.#context, model, show, signal);
    }
    this.#draw();
  }

  /** Pictures that come while one is written are drawn as one. */
  #draw(): void {
    this.#isStale = true;
    if (!this.#isDrawing && !this.#shell) void this.#drawAll();
  }

  async #drawAll(): Promise<void> {
    this.#isDrawing = true;
    try {
      while (this.#isStale && !this.#shell) {
        this.#isStale = false;
        await this.#screen.show(drawn(this.#model, this.#screen.size, this.#context.style));
      }
    } catch {
      // The terminal is gone.
      this.#ended.abort();
    } finally {
      this.#isDrawing = false;
    }
  }

  /** Each event of the engine may have changed the lists. */
  async #followEvents(): Promise<void> {
    const { signal } = this.#ended;
    try {
      for await (const _ of this.#context.client.system.events({ signal })) void this.#refresh();
    } catch (error) {
      if (!signal.aborted) this.#say(failureText(error));
    }
  }

  /** Asks for the lists; what changes meanwhile is asked for once more. */
  async #refresh(): Promise<void> {
    this.#isOutdated = true;
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    try {
      while (this.#isOutdated && !this.#ended.signal.aborted) {
        this.#isOutdated = false;
        const lists = await this.#ask();
        this.#become({ ...this.#model, lists });
      }
    } catch (error) {
      this.#say(failureText(error));
    } finally {
      this.#isRefreshing = false;
    }
  }

  async #ask(): Promise<Model["lists"]> {
    const { client } = this.#context;
    const [containers, images, { Volumes }] = await Promise.all([
      client.containers.list({ all: true, usage: true }),
      client.images.list(),
      client.volumes.list(),
    ]);
    return {
      containers: containers.map(({ Id, Names, State, Status, Usage }) => ({
        id: Id,
        name: (Names[0] ?? "").replace(/^\//, ""),
        detail:
          typeof Usage?.Memory === "number" ? `${Status}  ${binarySize(Usage.Memory)}` : Status,
        state: State,
      })),
      images: images.map(({ Id, RepoTags, Size }) => ({
        id: Id,
        name: RepoTags?.[0] ?? shortId(Id),
        detail: formatBytes(Size),
        state: "",
      })),
      volumes: Volumes.map(({ Name, Driver }) => ({
        id: Name,
        name: Name,
        detail: Driver,
        state: "",
      })),
    };
  }

  #say(message: string): void {
    this.#become({ ...this.#model, message: message.split("\n")[0] ?? "" });
  }

  async #act({ action, panel, item }: Extract<Effect, { kind: "act" }>): Promise<void> {
    try {
      if (action === "shell") return await this.#runShell(item);
      this.#say(`${action} ${item.name} ...`);
      if (panel === "containers") await this.#change(action, item);
      else if (panel === "images") await this.#context.client.images.remove(item.id, {});
      else await this.#context.client.volumes.remove(item.id, {});
      this.#say(`${action} ${item.name}: done`);
      await this.#refresh();
    } catch (error) {
      this.#say(failureText(error));
    }
  }

  async #change(action: Exclude<Action, "shell">, { id }: Item): Promise<void> {
    const { containers } = this.#context.client;
    if (action === "remove") await containers.remove(id, { force: true });
    else if (action === "kill") await containers.kill(id, "KILL");
    else await containers[action](id);
  }

  /** A shell has the whole terminal until it ends. */
  async #runShell({ id }: Item): Promise<void> {
    const { execs } = this.#context.client;
    const { Id } = await execs.create(id, {
      ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true },
      Cmd: ["sh"],
    });
    const { rows, columns } = this.#screen.size;
    const stream = await execs.start(Id, { tty: true, size: [rows, columns] });
    await this.#screen.close();
    this.#shell = stream;
    const unfollow = followSize(this.#context, (size) => execs.resize(Id, size));
    try {
      for await (const { bytes } of stream.output()) await this.#context.out.write(bytes);
    } catch (error) {
      if (!isFault(error, "unavailable")) throw error;
    } finally {
      unfollow();
      stream.close();
      this.#shell = undefined;
      await this.#screen.open();
      this.#draw();
    }
  }
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
