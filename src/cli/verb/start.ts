import { defaultDetachKeys } from "#wire";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit, failureText } from "../failure.ts";
import { followSize, requireTerminal, runSession } from "../session.ts";
import { openSignalProxy } from "../signal-proxy.ts";
import type { startFlags } from "../table/containers.ts";

export const start: Verb<typeof startFlags> = async (context, { flags, args }) => {
  if (flags.attach || flags.interactive) {
    if (args.length > 1) throw new Error("you cannot start and attach multiple containers at once");
    return await startAttached(context, args[0] ?? "", {
      stdin: flags.interactive,
      detachKeys: flags["detach-keys"] || context.settings.detachKeys,
    });
  }
  const failed: string[] = [];
  for (const ref of args) {
    try {
      await context.client.containers.start(ref);
      await context.out.write(`${ref}\n`);
    } catch (error) {
      await context.err.write(`${failureText(error)}\n`);
      failed.push(ref);
    }
  }
  if (failed.length > 0)
    throw new Exit(1, `Error: failed to start containers: ${failed.join(", ")}`);
  return 0;
};

async function startAttached(
  context: Context,
  ref: string,
  options: { readonly stdin: boolean; readonly detachKeys: string | undefined },
): Promise<number> {
  const { containers } = context.client;
  const { Id, Config, HostConfig } = await containers.inspect(ref);
  const tty = Config.Tty;
  const stdin = options.stdin && Config.OpenStdin;
  requireTerminal(context, { tty, stdin });
  const proxy = tty ? undefined : openSignalProxy(context);
  const attach = { stdin, stdout: true, stderr: true };
  const [stream, waiting] = await Promise.all([
    containers.attach(Id, { ...attach, detachKeys: options.detachKeys ?? defaultDetachKeys }),
    containers.wait(Id, HostConfig.AutoRemove ? "removed" : "next-exit"),
  ]);
  try {
    await containers.start(Id);
  } catch (error) {
    stream.close();
    throw error;
  }
  proxy?.target(Id);
  const unfollow = tty ? followSize(context, (size) => containers.resize(Id, size)) : undefined;
  const end = await runSession(context, { stream, stdin, tty, detachKeys: options.detachKeys });
  unfollow?.();
  proxy?.stop();
  return end === "detached" ? 0 : (await waiting.result).StatusCode;
}
