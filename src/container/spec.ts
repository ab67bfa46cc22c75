import { defaultSpec, type OciMount, type OciSpec, readHostDevices } from "#runtime";
import { configOptions } from "./config-options.ts";
import type { Description } from "./description.ts";
import { hostOptions } from "./host-options.ts";
import type { Options, Run, SpecDraft } from "./option.ts";

/** A description, with the facts of one start. */
export interface ContainerSpecInput extends Description, Run {
  /** Paths on this host to bind over the files in /etc; "" leaves the image's file. */
  readonly files: {
    readonly hostname: string;
    readonly hosts: string;
    readonly resolvConf: string;
  };
}

/**
 * The OCI configuration of a container: the runtime's defaults, changed by each option in the order
 * of its table.
 */
export function containerSpec(input: ContainerSpecInput): OciSpec {
  const draft: SpecDraft = {
    argv: input.argv,
    env: [],
    cwd: "/",
    user: input.user,
    terminal: false,
    namespaces: {},
    resources: { memory: {}, cpu: {}, blockIO: {} },
    mounts: [],
    devices: [],
    deviceRules: [],
    machine: input.machine,
  };
  apply(configOptions, input.config, { draft, run: input });
  apply(hostOptions, input.host, { draft, run: input });
  const own = new Set(draft.mounts.map((mount) => mount.destination));
  draft.mounts.unshift(...fileMounts(input, own, draft.readonlyRoot === true));
  if (draft.privileged) draft.hostDevices = readHostDevices();
  return defaultSpec(draft);
}

function apply(
  options: Options,
  values: Readonly<Record<string, unknown>>,
  { draft, run }: { readonly draft: SpecDraft; readonly run: Run },
): void {
  for (const [name, { effect }] of Object.entries(options))
    if (typeof effect === "function") effect(draft, values[name] as never, run);
}

/** The engine's own hosts, hostname and resolv.conf, except where the user mounts something there; under a read-only root they are read-only. */
function fileMounts(
  { files }: ContainerSpecInput,
  own: ReadonlySet<string>,
  isReadonly: boolean,
): readonly OciMount[] {
  const mounts: readonly (readonly [string, string])[] = [
    ["/etc/resolv.conf", files.resolvConf],
    ["/etc/hostname", files.hostname],
    ["/etc/hosts", files.hosts],
  ];
  return mounts
    .filter(([destination, source]) => source !== "" && !own.has(destination))
    .map(([destination, source]) => ({
      destination,
      type: "bind",
      source,
      options: ["rbind", ...(isReadonly ? ["ro"] : []), "rprivate"],
    }));
}
