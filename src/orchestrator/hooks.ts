import { Fault } from "#base";
import type { Client } from "#client";
import type { Mapping } from "#yaml";

/** What a command of a hook wrote. */
export type HookOutput = (bytes: Uint8Array) => void;

/**
 * Runs the hooks of a service in one of its containers, one after the other.
 * @throws Fault when one ends with another status than 0
 */
export async function runHooks(
  client: Client,
  container: string,
  hooks: readonly Mapping[],
  onOutput: HookOutput = () => undefined,
): Promise<void> {
  for (const hook of hooks) {
    const { Id } = await client.execs.create(container, execOf(hook));
    const stream = await client.execs.start(Id, { tty: false });
    for await (const { bytes } of stream.output()) onOutput(bytes);
    const { ExitCode } = await client.execs.inspect(Id);
    if (ExitCode === 0) continue;
    throw new Fault("internal", `hook exited with status ${ExitCode}`);
  }
}

function execOf(hook: Mapping) {
  const environment = hook.get("environment");
  const pairs = environment instanceof Map ? [...environment] : [];
  const command = hook.get("command");
  return {
    Cmd: Array.isArray(command) ? command.map(String) : [],
    User: String(hook.get("user") ?? ""),
    Privileged: hook.get("privileged") === true,
    WorkingDir: String(hook.get("working_dir") ?? ""),
    Env: pairs.map(([name, value]) => (value === null ? name : `${name}=${String(value)}`)),
    AttachStdout: true,
    AttachStderr: true,
  };
}
