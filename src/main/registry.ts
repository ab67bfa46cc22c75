import type { Log } from "#base";
import type { EngineDependencies } from "#engine";

/** Makes clients of registries; the code is loaded with the first. */
export function registryOpener(options: {
  readonly configRoot: string;
  /** Read at each use, since they may change. */
  readonly registries: () => {
    readonly insecureRegistries: readonly string[];
    readonly registryMirrors: readonly string[];
  };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}): EngineDependencies["registry"] {
  return async (credentials) => {
    const { createRegistryClient, hostDirectories, openHostDirectory } = await import(
      "#registry-client"
    );
    const { configRoot, environment, log } = options;
    const { insecureRegistries: insecure, registryMirrors: mirrors } = options.registries();
    const hosts = openHostDirectory({
      directories: hostDirectories(configRoot),
      insecure,
      mirrors,
    });
    return createRegistryClient({ hosts, credentials, environment, log });
  };
}
