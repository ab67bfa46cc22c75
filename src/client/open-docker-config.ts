import type { Credentials } from "#base";
import { credentialsOf } from "#wire";
import type { DockerConfig } from "./docker-config.ts";

export type { DockerConfig } from "./docker-config.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** Where Docker's config.json is: DOCKER_CONFIG, else ~/.docker. */
export function configDirectory(env: Env): string {
  return env.DOCKER_CONFIG || `${env.HOME || "/root"}/.docker`;
}

/** Docker's config.json; loaded on use, since most commands need none. */
export async function openDockerConfig(env: Env): Promise<DockerConfig> {
  const { DockerConfig } = await import("./docker-config.ts");
  return new DockerConfig(configDirectory(env), env);
}

/** The credentials that config.json or a credential helper has for a registry's host. */
export function userCredentials(
  directory: string,
  env: Env,
): (host: string) => Promise<Credentials | undefined> {
  return async (host) => {
    const { DockerConfig } = await import("./docker-config.ts");
    const auth = await new DockerConfig(directory, env).credentials(host);
    return auth && credentialsOf(auth);
  };
}
