import { defined } from "#base";
import { defaultDetachKeys, parseDetachKeys } from "#wire";
import type { Verb } from "../command.ts";
import { Exit } from "../failure.ts";
import { readEnvironment } from "../key-values.ts";
import { followSize, requireTerminal, runSession } from "../session.ts";
import type { execFlags } from "../table/create-flags.ts";

export const exec: Verb<typeof execFlags> = async (context, { flags, args }) => {
  const [ref = "", ...command] = args;
  const { tty, detach, interactive } = flags;
  const stdin = interactive && !detach;
  const detachKeys = flags["detach-keys"] || context.settings.detachKeys;
  if (detachKeys) parseDetachKeys(detachKeys);
  requireTerminal(context, { tty, stdin });
  const { execs } = context.client;
  const terminal = tty ? context.stdin.size() : undefined;
  const size = terminal ? ([terminal.rows, terminal.columns] as const) : undefined;
  const { Id } = await execs.create(ref, {
    User: flags.user ?? "",
    Privileged: flags.privileged,
    Tty: tty,
    ...defined({ ConsoleSize: size && [...size] }),
    AttachStdin: stdin,
    AttachStdout: !detach,
    AttachStderr: !detach,
    DetachKeys: detachKeys ?? defaultDetachKeys,
    Env: [...readEnvironment(flags["env-file"], flags.env, context.env)],
    WorkingDir: flags.workdir ?? "",
    Cmd: command,
  });
  if (detach) {
    await execs.startDetached(Id, { tty });
    return 0;
  }
  const stream = await execs.start(Id, { tty, size });
  const unfollow = tty ? followSize(context, (now) => execs.resize(Id, now)) : undefined;
  const end = await runSession(context, {
    stream,
    stdin,
    tty,
    detachKeys,
  });
  unfollow?.();
  if (end === "detached") throw new Exit(1, "read escape sequence");
  const { ExitCode } = await execs.inspect(Id);
  return ExitCode ?? 0;
};
