import type { CredentialSource } from "#base";
import {
  createRegistryClient,
  hostDirectories,
  openHostDirectory,
  type RegistryClient,
} from "#registry-client";

/** The settings of commands that speak to registries. */
export interface RegistryContext {
  readonly registry: RegistryClient;
  readonly out: { write(text: string): Promise<void> };
  /** Asks the user without showing the keys; without a terminal it is a Fault. */
  askPassword(prompt: string): Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A client as the engine has it, with the user's own credentials. */
export function openRegistry(options: {
  readonly configRoot: string;
  readonly insecure: readonly string[];
  readonly credentials: CredentialSource;
  readonly env: RegistryContext["env"];
}): RegistryClient {
  const { configRoot, insecure, credentials, env } = options;
  return createRegistryClient({
    hosts: openHostDirectory({ directories: hostDirectories(configRoot), insecure }),
    credentials,
    environment: env,
  });
}
