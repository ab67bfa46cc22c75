import { type FSWatcher, watch } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { isFault } from "#base";
import { IgnoreMatcher, parseIgnoreFile } from "#dockerfile";
import { cancellable } from "../cancellable.ts";
import type { Context } from "../context.ts";
import { Exit, failureText } from "../failure.ts";
import { readBuildFile } from "./build-file.ts";
import { isRemote } from "./build-source.ts";

/** Milliseconds without a change after which a build begins: editors and checkouts write many files. */
const calm = 100;

interface Watched {
  /** The context's directory. */
  readonly path: string;
  /** The Dockerfile, where it was named. */
  readonly file: string | undefined;
  /** What the build itself writes on this side. */
  readonly written: readonly string[];
}

/** Builds, and again whenever the Dockerfile or a file of the context changes, until it is interrupted. */
export async function watchBuild(
  context: Context,
  watched: Watched,
  build: () => Promise<number>,
): Promise<number> {
  const { path, file } = watched;
  if (path === "-" || file === "-" || isRemote(path)) {
    throw new Exit(
      1,
      "thimble: --watch needs a directory as context, and the Dockerfile in a file",
    );
  }
  return await cancellable(async (signal) => {
    using changes = new Changes(watched);
    for (;;) {
      changes.ignore(await ignoredBy(context, watched));
      try {
        await build();
      } catch (error) {
        // The next change may mend what the build failed at; the end of the command may not.
        const isEnd = error instanceof Exit ? error.status === 130 : isFault(error, "unavailable");
        if (isEnd) throw error;
        await context.err.write(`${failureText(error)}\n`);
      }
      // One that came too late to end the build.
      signal.throwIfAborted();
      await context.err.write(`\nwatching ${resolve(path)}; ctrl-c ends\n`);
      await changes.next(signal);
    }
  }, "");
}

async function ignoredBy(context: Context, { path, file }: Watched): Promise<IgnoreMatcher> {
  // A Dockerfile that is missing for a moment is the build's to tell of.
  const found = await readBuildFile(context, { path, file }).catch(() => undefined);
  return new IgnoreMatcher(parseIgnoreFile(found?.ignored ?? ""));
}

/** Changes below a directory that a build would see, as the kernel tells them. */
class Changes implements Disposable {
  readonly #watchers: FSWatcher[];
  readonly #written: readonly string[];
  #ignored = new IgnoreMatcher([]);
  #isChanged = false;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ path, file, written }: Watched) {
    this.#written = written.map((each) => relative(path, each));
    const tree = watch(path, { recursive: true }, (_, name) => {
      if (name === null || this.#isSeen(name)) this.#note();
    });
    this.#watchers = [tree];
    if (file === undefined || !relative(path, file).startsWith("..")) return;
    // Editors put a new file in its place, so it is its directory that is watched.
    const names = [basename(file), `${basename(file)}.dockerignore`];
    this.#watchers.push(
      watch(dirname(file), (_, name) => {
        if (name === null || names.includes(name)) this.#note();
      }),
    );
  }

  ignore(matcher: IgnoreMatcher): void {
    this.#ignored = matcher;
  }

  /** Settles when something has changed since the last time, and nothing does any more. */
  async next(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const woken = Promise.withResolvers<void>();
    const abort = () => woken.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#wake = woken.resolve;
    if (this.#isChanged) this.#settle();
    try {
      await woken.promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#wake = undefined;
    }
    this.#isChanged = false;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
  }

  #isSeen(name: string): boolean {
    const isWritten = this.#written.some((each) => name === each || name.startsWith(`${each}/`));
    return !isWritten && !this.#ignored.ignores(name);
  }

  #note(): void {
    this.#isChanged = true;
    this.#settle();
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#wake?.(), calm);
  }
}
