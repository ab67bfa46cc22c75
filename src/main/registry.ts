import { join } from "node:path";
import type { Log } from "#base";
import type { EngineDependencies } from "#engine";

/** Where the hosts of registries are configured, as containerd and Docker have it too; the first that has a host counts. */
export function hostDirectories(configRoot: string): readonly string[] {
  return [join(configRoot, "certs.d"), "/etc/containerd/certs.d", "/etc/docker/certs.d"];
}

/** Makes clients of registries; the code is loaded with the first. */
export function registryOpener(options: {
  readonly configRoot: string;
  readonly insecure: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}): EngineDependencies["registry"] {
  return async (credentials) => {
    const { createRegistryClient, openHostDirectory } = await import("#registry");
    const { configRoot, insecure, environment, log } = options;
    const hosts = openHostDirectory({ directories: hostDirectories(configRoot), insecure });
    return createRegistryClient({ hosts, credentials, environment, log });
  };
}
