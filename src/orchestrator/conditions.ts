import { Fault } from "#base";
import type { Client } from "#client";
import type { ContainerInspect } from "#wire";

/** What a container must reach: those of depends_on, and the one of `up --wait`. */
export type Condition = "service_healthy" | "service_completed_successfully" | "running_or_healthy";

/** Whether a container has reached a condition; a Fault when it never will. */
export function hasReached(condition: Condition, container: ContainerInspect): boolean | Fault {
  const { State } = container;
  const name = container.Name.replace(/^\//, "");
  const hasEnded = State.Status === "exited" || State.Status === "dead";
  if (condition === "service_completed_successfully") {
    if (!hasEnded) return false;
    if (State.ExitCode === 0) return true;
    return new Fault("internal", `didn't complete successfully: exit ${State.ExitCode}`);
  }
  if (hasEnded && condition === "running_or_healthy" && State.ExitCode === 0) return true;
  if (hasEnded) return new Fault("internal", `container ${name} exited (${State.ExitCode})`);
  const health = State.Health?.Status;
  if (health === undefined) {
    if (condition === "running_or_healthy") return State.Running && !State.Restarting;
    return new Fault("internal", `container ${name} has no healthcheck configured`);
  }
  if (health === "unhealthy") return new Fault("internal", `container ${name} is unhealthy`);
  return health === "healthy";
}

/**
 * Settles when a container has reached a condition: it is looked at now, and after each of its events.
 * @throws Fault that says why it never will; "canceled" when the signal comes first
 */
export async function reach(
  client: Client,
  id: string,
  condition: Condition,
  signal: AbortSignal,
): Promise<void> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  // Asked for from a second ago on, so that no event between the look and the stream is missed.
  const since = String(Math.floor(Date.now() / 1000) - 1);
  const filters = { container: [id], type: ["container"] };
  const events = client.system.events({ since, filters, signal: abort.signal });
  try {
    for (;;) {
      const reached = hasReached(condition, await client.containers.inspect(id));
      if (reached === true) return;
      if (reached !== false) throw reached;
      const { done } = await nextChange(events);
      if (done) throw new Fault("unavailable", "the engine ended its events");
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
    await events.return(undefined).catch(() => undefined);
  }
}

/** Probes of health are events as well, several for each. */
async function nextChange(
  events: AsyncGenerator<{ readonly value: { readonly Action: string } }>,
): Promise<{ done: boolean }> {
  for (;;) {
    const { done, value } = await events.next();
    if (done) return { done: true };
    if (!value.value.Action.startsWith("exec_")) return { done: false };
  }
}

/** Why a container came to nothing: its last probe and its last lines; "" where there is nothing to tell. */
export async function lastWords(client: Client, id: string): Promise<string> {
  const { State, Config } = await client.containers.inspect(id);
  const probe = State.Health?.Log.at(-1);
  const lines: string[] = [];
  if (probe !== undefined && State.Health?.Status === "unhealthy") {
    lines.push(`its last health check ended with ${probe.ExitCode}: ${probe.Output.trim()}`);
  }
  const tail: string[] = [];
  const options = { stdout: true, stderr: true, tail: "20" };
  for await (const { bytes } of client.containers.logs(id, Config.Tty, options)) {
    tail.push(Buffer.from(bytes).toString());
  }
  const text = tail.join("").trimEnd();
  if (text !== "") lines.push("its last lines:", text);
  return lines.join("\n");
}
