import { visibleText } from "#base";
import type { BuildEntry } from "#wire";
import type { Context, TerminalSize } from "../context.ts";
import { Exit, failureText } from "../failure.ts";
import { followSize, runSession } from "../session.ts";

/** A shell, unless the user names another program. */
const shell = ["/bin/sh"];

/** Standard input cannot be the files of a build and the commands for a shell. */
export function requireInput(path: string, file: string | undefined): void {
  if (path !== "-" && file !== "-") return;
  throw new Exit(
    1,
    "thimble: a shell takes commands from standard input, which the Dockerfile or the context is on: name a directory and a file",
  );
}

/**
 * Runs a shell, or another program, in the place of a step that the engine offers: on the terminal
 * if there is one, else with standard input as its input. Gives its exit status.
 */
export async function enterStep(
  context: Context,
  entry: BuildEntry,
  command: readonly string[] = [],
): Promise<number> {
  const { stdin, out, err, client } = context;
  const tty = stdin.isTerminal && out.isTerminal;
  await err.write(introduction(entry, tty && command.length === 0));
  const size = tty ? stdin.size() : undefined;
  const { stream, exitCode } = await client.builds.enter(entry.id, {
    Cmd: [...(command.length > 0 ? command : shell)],
    ...{ Tty: tty, AttachStdin: true },
    ...(size && { ConsoleSize: [size.rows, size.columns] }),
  });
  const resize = (now: TerminalSize) => client.builds.resizeEntry(entry.id, now);
  const unfollow = tty ? followSize(context, resize) : undefined;
  let end: "ended" | "detached";
  try {
    end = await runSession(context, { stream, stdin: true, tty });
  } finally {
    unfollow?.();
  }
  const status = end === "detached" ? 0 : await exitCode;
  await err.write("What was changed in the step is thrown away.\n");
  return status;
}

/** As `enterStep`, for a build that fails anyway: that nothing can be entered is told, and that is all. */
export async function enterFailed(context: Context, entry: BuildEntry): Promise<void> {
  try {
    await enterStep(context, entry);
  } catch (error) {
    if (error instanceof Exit) throw error;
    await context.err.write(`the step cannot be entered: ${failureText(error)}\n`);
  }
}

function introduction(entry: BuildEntry, isShell: boolean): string {
  const { name, hasFailed, message = "", keepsCaches } = entry;
  const shown = visibleText(name);
  const what = hasFailed
    ? `${shown} failed: ${visibleText(message)}\nIts files are as the command left them.`
    : `This is the place of ${shown}.`;
  const caches = keepsCaches ? ", but for what is in its cache mounts" : "";
  const leave = isShell ? " Leave with exit or ctrl-d." : "";
  return `\n${what} What you change here is thrown away${caches}.${leave}\n`;
}
