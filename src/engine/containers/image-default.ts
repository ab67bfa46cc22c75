import { Fault } from "#base";
import type { ImageDefaults } from "#image";
import type { ContainerConfig } from "../contract.ts";

/**
 * What the user asked for with the image's defaults filled in. The image's command
 * counts only while the user gives neither command nor entry point; `[""]` as the
 * entry point means none at all. Variables of the user replace the image's by name.
 */
export function withImageDefaults(
  config: ContainerConfig,
  image: ImageDefaults,
): { readonly config: ContainerConfig; readonly argv: readonly string[] } {
  const { cmd: ownCmd = [], entrypoint: own, stopSignal: ownSignal, ...rest } = config;
  const isCleared = own?.length === 1 && own[0] === "";
  const entrypoint = isCleared ? [] : (own ?? image.Entrypoint ?? []);
  const takesImageCmd = ownCmd.length === 0 && (own ?? []).length === 0;
  const cmd = takesImageCmd ? (image.Cmd ?? []) : ownCmd;
  const argv = [...entrypoint, ...cmd];
  if (argv.length === 0) {
    throw new Fault("invalid", "no command specified: the image has none, so give one", {
      about: config.image,
    });
  }
  const stopSignal = ownSignal ?? image.StopSignal;
  return {
    argv,
    config: {
      ...rest,
      ...(cmd.length > 0 && { cmd }),
      ...(entrypoint.length > 0 && { entrypoint }),
      ...(stopSignal && { stopSignal }),
      env: mergeImageEnv(config.env, image.Env ?? []),
      workingDir: config.workingDir || (image.WorkingDir ?? ""),
      user: config.user || (image.User ?? ""),
      labels: { ...image.Labels, ...config.labels },
      exposedPorts: [
        ...new Set([...config.exposedPorts, ...Object.keys(image.ExposedPorts ?? {})]),
      ],
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
