import { parseDetachKeys } from "#wire";
import type { Invocation, Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { createBody } from "../create-body.ts";
import { Exit, failureText } from "../failure.ts";
import { followSize, requireTerminal, runSession } from "../session.ts";
import { openSignalProxy, type SignalProxy } from "../signal-proxy.ts";
import type { RunFlags } from "../table/create-flags.ts";
import { createContainer, withImage } from "./create.ts";

export const run: Verb<RunFlags> = async (context, invocation) => {
  const { flags } = invocation;
  const body = createBody(context, invocation);
  if (flags["dry-run"]) {
    const format = flags.json ? "json" : "text";
    const { name, platform } = flags;
    const plan = await context.client.containers.plan(body, { format, name, platform });
    await context.out.write(plan.endsWith("\n") ? plan : `${plan}\n`);
    return 0;
  }
  if (flags.detach) return await runDetached(context, invocation, body);
  const detachKeys = flags["detach-keys"] || context.settings.detachKeys;
  if (detachKeys) parseDetachKeys(detachKeys);
  requireTerminal(context, { tty: flags.tty, stdin: body.AttachStdin ?? false });
  const proxy = flags["sig-proxy"] && !flags.tty ? openSignalProxy(context) : undefined;
  try {
    return await runAttached(context, invocation, { body, proxy, detachKeys });
  } finally {
    proxy?.stop();
  }
};

type Body = ReturnType<typeof createBody>;

async function runDetached(
  context: Context,
  { flags }: Invocation<RunFlags>,
  body: Body,
): Promise<number> {
  if (flags.attach.length > 0) {
    throw new Exit(1, "conflicting options: cannot specify both --attach and --detach");
  }
  const detached = {
    ...body,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    StdinOnce: false,
  };
  const id = await createContainer(context, detached, flags);
  await context.client.containers.start(id).catch(failedStart);
  await context.out.write(`${id}\n`);
  return 0;
}

async function runAttached(
  context: Context,
  { flags }: Invocation<RunFlags>,
  attached: { body: Body; proxy: SignalProxy | undefined; detachKeys: string | undefined },
): Promise<number> {
  const { containers } = context.client;
  const { body, proxy, detachKeys } = attached;
  const { tty, platform } = flags;
  const options = { name: flags.name || undefined, platform };
  const { id, stream, exitCode } = await withImage(context, { body, flags }, () =>
    containers.run(body, options),
  );
  proxy?.target(id);
  const unfollow = tty ? followSize(context, (size) => containers.resize(id, size)) : undefined;
  const session = { stream, stdin: body.AttachStdin ?? false, tty, detachKeys };
  const end = await runSession(context, session);
  unfollow?.();
  return end === "detached" ? 0 : await exitCode.catch(failedStart);
}

/** Docker's exit status of a container that could not be started: 127 not found, 126 not executable, else 125. */
function failedStart(error: unknown): never {
  const text = failureText(error);
  const notFound =
    /executable file not found|no such file or directory|system cannot find the file specified/;
  const notExecutable =
    /permission denied|is a directory|exec: .*not a directory|exec format error/;
  const status = notFound.test(text) ? 127 : notExecutable.test(text) ? 126 : 125;
  throw new Exit(status, `thimble: ${text}\n\nRun 'thimble run --help' for more information`);
}
