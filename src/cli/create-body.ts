import { defined, Fault } from "#base";
import { formatHost } from "#client";
import type { ContainerCreateBody } from "#container";
import type { Context } from "./context.ts";
import { healthCheck } from "./create-health.ts";
import { hostConfig } from "./create-host.ts";
import { parseVolumes } from "./create-mounts.ts";
import { networkingConfig } from "./create-networks.ts";
import { parsePorts } from "./create-ports.ts";
import type { Values } from "./flag.ts";
import { readEnvironment, readLabels } from "./key-values.ts";
import type { CreateFlags } from "./table/create-flags.ts";

export interface CreateInput {
  readonly flags: Values<CreateFlags>;
  readonly given: ReadonlySet<string>;
  /** IMAGE and the command behind it. */
  readonly args: readonly string[];
}

/** The body of a create, as docker makes it from the same flags. An `invalid` fault names the flag that is wrong. */
export function createBody(
  context: Pick<Context, "env" | "stdin"> & Partial<Pick<Context, "settings" | "host">>,
  input: CreateInput,
): ContainerCreateBody {
  const { flags, args } = input;
  const [image = "", ...cmd] = args;
  const attached = attachedStreams(flags);
  const volumes = parseVolumes(flags.volume);
  const ports = parsePorts(flags.publish, flags.expose);
  const size = flags.tty ? context.stdin.size() : undefined;
  return {
    Hostname: flags.hostname ?? "",
    Domainname: flags.domainname ?? "",
    User: flags.user ?? "",
    AttachStdin: attached.has("stdin"),
    AttachStdout: attached.has("stdout"),
    AttachStderr: attached.has("stderr"),
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && attached.has("stdin"),
    Env: [...environment(context, flags)],
    ...(cmd.length > 0 ? { Cmd: cmd } : {}),
    ...(flags.entrypoint === undefined ? {} : { Entrypoint: [flags.entrypoint] }),
    ...healthCheck(flags),
    Image: image,
    Volumes: Object.fromEntries(volumes.anonymous.map((target) => [target, {}])),
    ExposedPorts: ports.exposed,
    WorkingDir: flags.workdir ?? "",
    Labels: { ...readLabels(flags["label-file"], flags.label) },
    ...defined({ StopSignal: flags["stop-signal"], StopTimeout: flags["stop-timeout"] }),
    HostConfig: {
      ...hostConfig(input),
      Binds: [...volumes.binds],
      PortBindings: mutable(ports.bindings),
      ...defined({ ConsoleSize: size && [size.rows, size.columns] }),
    },
    NetworkingConfig: networkingConfig(input),
  };
}

/** What was asked for, and the proxies of config.json that it does not name. */
function environment(
  { env, settings, host }: Parameters<typeof createBody>[0],
  flags: CreateInput["flags"],
): readonly string[] {
  const asked = readEnvironment(flags["env-file"], flags.env, env);
  const named = new Set(flags.env.map((each) => each.replace(/=.*/s, "")));
  const proxies = Object.entries((host && settings?.proxies(formatHost(host.host))) ?? {});
  return [
    ...asked,
    ...proxies.filter(([name]) => !named.has(name)).map(([name, value]) => `${name}=${value}`),
  ];
}

/** `-a` names the streams; without it output is attached, and input when it is kept open. */
function attachedStreams(flags: CreateInput["flags"]): ReadonlySet<string> {
  if (flags.attach.length === 0) {
    return new Set(flags.interactive ? ["stdin", "stdout", "stderr"] : ["stdout", "stderr"]);
  }
  return new Set(
    flags.attach.map((word) => {
      const stream = word.toLowerCase();
      if (stream === "stdin" || stream === "stdout" || stream === "stderr") return stream;
      throw new Fault(
        "invalid",
        `invalid argument "${word}" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR`,
      );
    }),
  );
}

function mutable<T>(record: Readonly<Record<string, readonly T[]>>): Record<string, T[]> {
  return Object.fromEntries(Object.entries(record).map(([key, list]) => [key, [...list]]));
}
