import { Fault } from "#base";
import type { ImageDefaults } from "#image";
import type { Config } from "./config-options.ts";
import { mergeHealthCheck } from "./health-check.ts";

/**
 * The user's request with the image's defaults filled in. The image's command counts only while the
 * user gives neither command nor entry point; `[""]` as the entry point removes the image's.
 * Variables of the user replace the image's by name.
 */
export function withImageDefaults(
  config: Config,
  image: ImageDefaults,
): { readonly config: Config; readonly argv: readonly string[] } {
  const { Cmd: ownCmd = [], Entrypoint: own } = config;
  const isCleared = own?.length === 1 && own[0] === "";
  const entrypoint = isCleared ? [] : (own ?? image.Entrypoint ?? []);
  const takesImageCmd = ownCmd.length === 0 && (own ?? []).length === 0;
  const cmd = takesImageCmd ? (image.Cmd ?? []) : ownCmd;
  const argv = [...entrypoint, ...cmd];
  if (argv.length === 0) {
    throw new Fault("invalid", "no command specified", {
      about: config.Image,
    });
  }
  return {
    argv,
    config: {
      ...config,
      Cmd: cmd.length > 0 ? cmd : undefined,
      Entrypoint: entrypoint.length > 0 ? entrypoint : undefined,
      StopSignal: config.StopSignal ?? (image.StopSignal || undefined),
      Env: mergeImageEnv(config.Env, image.Env ?? []),
      WorkingDir: config.WorkingDir || (image.WorkingDir ?? ""),
      User: config.User || (image.User ?? ""),
      Healthcheck: mergeHealthCheck(config.Healthcheck, image.Healthcheck),
      Labels: { ...image.Labels, ...config.Labels },
      Volumes: { ...config.Volumes, ...image.Volumes },
      ExposedPorts: { ...config.ExposedPorts, ...image.ExposedPorts },
    },
  };
}

/** The user's variables, then those of the image that the user did not name. */
function mergeImageEnv(own: readonly string[], image: readonly string[]): readonly string[] {
  const named = new Set(own.map(nameOf));
  return [...own, ...image.filter((each) => !named.has(nameOf(each)))];
}

/** Variables in order, later ones replacing earlier ones by name; one without "=" takes the variable away. */
export function resolveEnv(variables: readonly string[]): readonly string[] {
  const resolved = new Map<string, string>();
  for (const each of variables) {
    if (each.includes("=")) resolved.set(nameOf(each), each);
    else resolved.delete(each);
  }
  return [...resolved.values()];
}

function nameOf(variable: string): string {
  const equals = variable.indexOf("=");
  return equals < 0 ? variable : variable.slice(0, equals);
}
