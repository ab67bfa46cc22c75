import { defaultDetachKeys } from "#wire";
import type { Verb } from "../command.ts";
import { Exit } from "../failure.ts";
import { followSize, requireTerminal, runSession } from "../session.ts";
import { openSignalProxy } from "../signal-proxy.ts";
import type { attachFlags } from "../table/containers.ts";

export const attach: Verb<typeof attachFlags> = async (context, { flags, args }) => {
  const { containers } = context.client;
  const { Id, Config, State } = await containers.inspect(args[0] ?? "");
  if (!State.Running) {
    throw new Error("You cannot attach to a stopped container, start it first");
  }
  if (State.Paused) throw new Error("You cannot attach to a paused container, unpause it first");
  const tty = Config.Tty;
  const stdin = Config.OpenStdin && !flags["no-stdin"];
  const detachKeys = flags["detach-keys"] || context.settings.detachKeys;
  requireTerminal(context, { tty, stdin });
  const waiting = await containers.wait(Id, "not-running");
  const stream = await containers.attach(Id, {
    stdin,
    stdout: true,
    stderr: true,
    detachKeys: detachKeys ?? defaultDetachKeys,
  });
  const proxy = flags["sig-proxy"] && !tty ? openSignalProxy(context) : undefined;
  proxy?.target(Id);
  const size = tty ? context.stdin.size() : undefined;
  // Another size and then the right one makes a program draw its screen anew.
  if (size) {
    const larger = { rows: size.rows + 1, columns: size.columns + 1 };
    await containers.resize(Id, larger).catch(() => undefined);
  }
  const unfollow = tty ? followSize(context, (now) => containers.resize(Id, now)) : undefined;
  const end = await runSession(context, { stream, stdin, tty, detachKeys });
  unfollow?.();
  proxy?.stop();
  if (end === "detached") throw new Exit(1, "read escape sequence");
  return (await waiting.result).StatusCode;
};
