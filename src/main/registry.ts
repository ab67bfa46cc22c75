import type { Log } from "#base";
import type { EngineDependencies } from "#engine";

/** Makes clients of registries; the code is loaded with the first. */
export function registryOpener(options: {
  readonly configRoot: string;
  readonly insecure: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}): EngineDependencies["registry"] {
  return async (credentials) => {
    const { createRegistryClient, hostDirectories, openHostDirectory } = await import(
      "#registry-client"
    );
    const { configRoot, insecure, environment, log } = options;
    const hosts = openHostDirectory({ directories: hostDirectories(configRoot), insecure });
    return createRegistryClient({ hosts, credentials, environment, log });
  };
}
