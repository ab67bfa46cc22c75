import type { Client, OutputPart } from "#client";

/** Whoever hears of a container's output and of the ends of its runs. */
export interface Follower {
  /** A piece of its output; the next waits until this is settled. */
  onOutput(part: OutputPart): Promise<void>;
  /** `isLast` when its restart policy does not start it again. */
  onExit(code: number, isLast: boolean): Promise<void>;
}

/**
 * Follows a container through its runs; in effect when the promise settles, so that nothing is missed of
 * one that is started then. The inner promise settles after its last run, or when the signal comes.
 */
export async function followContainer(
  client: Client,
  container: { readonly id: string; readonly isRunning: boolean },
  follower: Follower,
  signal: AbortSignal,
): Promise<{ readonly ended: Promise<void> }> {
  const { id, isRunning } = container;
  const condition = isRunning ? "not-running" : "next-exit";
  const [stream, exit] = await Promise.all([
    client.containers.attach(id, { stdout: true, stderr: true, signal }),
    client.containers.wait(id, condition, signal),
  ]);
  const close = () => stream.close();
  signal.addEventListener("abort", close, { once: true });
  const ended = async () => {
    await passOn(stream.output(), follower);
    let code = (await exit.result).StatusCode;
    for (;;) {
      const { State, Config } = await client.containers.inspect(id);
      const runsAgain = State.Running || State.Restarting;
      await follower.onExit(code, !runsAgain);
      if (!runsAgain) return;
      const next = await client.containers.wait(id, "next-exit", signal);
      const since = State.Running ? State.StartedAt : State.FinishedAt;
      const options = { follow: true, stdout: true, stderr: true, since: secondsOf(since), signal };
      await passOn(client.containers.logs(id, Config.Tty, options), follower);
      code = (await next.result).StatusCode;
    }
  };
  const result = ended().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  result.catch(() => undefined);
  return { ended: result };
}

const secondsOf = (time: string) => String(Date.parse(time) / 1000);

async function passOn(parts: AsyncIterable<OutputPart>, follower: Follower): Promise<void> {
  for await (const part of parts) await follower.onOutput(part);
}
