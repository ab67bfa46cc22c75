import { z } from "zod";
import { defined, Fault } from "#base";
import type { ImageDefaults } from "#image";
import { defaultMaskedPaths, defaultReadonlyPaths } from "#runtime";
import { type Config, type ConfigBody, configOptions } from "./config-options.ts";
import { type NetworkingBody, networkingShape, refuseNetworking } from "./endpoint.ts";
import { type HostConfig, type HostConfigBody, hostOptions } from "./host-options.ts";
import { withImageDefaults } from "./image-default.ts";
import type { Options } from "./option.ts";
import { checkRules, type Limits } from "./rules.ts";
import { isVolumeMount } from "./volume-mount.ts";

/** A create request as it was sent and is stored; `null` and absence mean the same. */
export interface Sent {
  readonly Config: ConfigBody;
  readonly HostConfig: HostConfigBody;
  readonly NetworkingConfig?: NetworkingBody;
  /** Binds that are read-only leave what is mounted below them as it is, as before API 1.44. */
  readonly shallowBinds?: boolean;
}

/** The body of POST /containers/create: Config, with HostConfig and NetworkingConfig inside. */
export type ContainerCreateBody = ConfigBody & {
  readonly HostConfig?: HostConfigBody | null | undefined;
  readonly NetworkingConfig?: NetworkingBody | null | undefined;
};

/** A container as the engine works with it: every field has a value. */
export interface Description {
  readonly config: Config;
  readonly host: HostConfig;
}

function shapeOf(options: Options): z.ZodRawShape {
  return Object.fromEntries(
    Object.entries(options).map(([name, { shape }]) => [name, shape.nullish()]),
  );
}

/** The body's form; fields that Docker does not know are dropped, as its decoder drops them. */
export const containerCreateSchema = z.object({
  ...shapeOf(configOptions),
  HostConfig: z.object(shapeOf(hostOptions)).nullish(),
  NetworkingConfig: networkingShape.nullish(),
}) as unknown as z.ZodObject<z.ZodRawShape, z.core.$strip> & z.ZodType<ContainerCreateBody>;

/**
 * The parts of a create body. `invalid`, in Docker's words, when no field is set or no image is
 * named.
 */
export function sentOf(body: ContainerCreateBody): Sent {
  const { HostConfig, NetworkingConfig, ...Config } = body;
  if (!Object.values(Config).some((value) => value !== null && value !== undefined))
    throw new Fault("invalid", "config cannot be empty in order to create a container");
  if (!Config.Image) throw new Fault("invalid", "invalid reference format: no image is named");
  return {
    Config,
    HostConfig: HostConfig ?? {},
    ...defined({ NetworkingConfig: NetworkingConfig ?? undefined }),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function valuesOf(options: Options, sent: Fields): unknown {
  return Object.fromEntries(
    Object.entries(options).map(([name, { value }]) => [
      name,
      value((sent[name] ?? undefined) as never),
    ]),
  );
}

/**
 * The values of all fields, with the defaults of the options but not yet those of the image.
 * `invalid` for a value that no container can have.
 */
export function readSent(sent: Sent): Description {
  const config = valuesOf(configOptions, sent.Config) as Config;
  const host = valuesOf(hostOptions, sent.HostConfig) as HostConfig;
  return { config, host: settle(host, config, sent) };
}

/** The defaults that depend on other fields. */
function settle(host: HostConfig, { NetworkDisabled }: Config, sent: Sent): HostConfig {
  const { Memory, MemorySwap, Privileged } = host;
  const isUnlabelled = Privileged || host.IpcMode === "host" || host.PidMode === "host";
  return {
    ...host,
    ...(NetworkDisabled && { NetworkMode: "none" }),
    ...(sent.shallowBinds && shallowBinds(host)),
    // As Docker shows it, where nothing else is asked for.
    ...(isUnlabelled && !sent.HostConfig.SecurityOpt && { SecurityOpt: ["label=disable"] }),
    // A memory limit alone allows as much swap again.
    MemorySwap: Memory > 0 && MemorySwap === 0 ? Memory * 2 : MemorySwap,
    MaskedPaths: host.MaskedPaths ?? (Privileged ? undefined : defaultMaskedPaths),
    ReadonlyPaths: host.ReadonlyPaths ?? (Privileged ? undefined : defaultReadonlyPaths),
  };
}

function shallowBinds({ Binds, Mounts }: HostConfig): Pick<HostConfig, "Binds" | "Mounts"> {
  return {
    Binds: Binds.map((mount) => (isVolumeMount(mount) ? mount : { ...mount, shallow: true })),
    Mounts: { ...Mounts, binds: Mounts.binds.map((bind) => ({ ...bind, shallow: true })) },
  };
}

function* refusalsOf(options: Options, sent: Fields): Generator<string> {
  for (const [name, { refusal }] of Object.entries(options)) {
    const value = sent[name];
    if (value !== undefined && value !== null) yield* refusal(value as never);
  }
}

/** One `unsupported` fault that names everything that was asked for and cannot be honoured. */
function refuseUnsupported(sent: Sent): void {
  const found = [
    ...refusalsOf(configOptions, sent.Config),
    ...refusalsOf(hostOptions, sent.HostConfig),
    ...refuseNetworking(sent.NetworkingConfig ?? {}),
  ];
  if (found.length === 0) return;
  const which = found.length === 1 ? "this option is" : "these options are";
  throw new Fault("unsupported", `${which} not supported yet: ${found.join("; ")}`);
}

/**
 * Everything that can be judged of a request without its image, before anything is made.
 * Faults: `invalid` in Docker's words, and `unsupported` for what Docker has and this engine
 * does not.
 */
export function checkSent(sent: Sent, limits: Limits): Description {
  refuseUnsupported(sent);
  const description = readSent(sent);
  const check = (options: Options, values: Fields) => {
    for (const [name, option] of Object.entries(options)) option.check(values[name] as never);
  };
  check(configOptions, description.config);
  check(hostOptions, description.host);
  checkRules(sent, description, limits);
  return description;
}

/** The description of a container with its image's defaults filled in, and the command that results. */
export function describeContainer(
  sent: Sent,
  image: ImageDefaults,
): Description & { readonly argv: readonly string[] } {
  const { config, host } = readSent(sent);
  return { host, ...withImageDefaults(config, image) };
}

function shown(options: Options, values: Fields, sent: Fields): Fields {
  return Object.fromEntries(
    Object.entries(options).map(([name, { inspect }]) => [
      name,
      inspect(values[name] as never, (sent[name] ?? undefined) as never),
    ]),
  );
}

/** HostConfig as `docker inspect` shows it, with every key that Docker shows. */
export function inspectHostConfig(host: HostConfig, sent: Sent): Fields {
  return shown(hostOptions, host, sent.HostConfig);
}

/** Config as `docker inspect` shows it, with the image's defaults. */
export function inspectConfig(config: Config, sent: Sent): Fields {
  return shown(configOptions, config, sent.Config);
}
