import type { CredentialLookup, RegistryCredentials } from "#engine";
import { type AuthConfig, decodeRegistryAuth, decodeRegistryConfig } from "#wire";
import type { Exchange } from "./exchange.ts";

/**
 * The credentials that came with a request: X-Registry-Auth is for the registry of the
 * image that the request names, X-Registry-Config for those that it lists itself.
 */
export function requestCredentials(exchange: Exchange, domain: string): CredentialLookup {
  const header = (name: string) => {
    const value = exchange.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
  const own = decodeRegistryAuth(header("x-registry-auth"));
  const config = decodeRegistryConfig(header("x-registry-config"));
  return (host) => {
    if (host === domain && own) return credentialsOf(own);
    const listed = [...(config ?? [])].find(([name]) => registryHost(name) === host)?.[1];
    return listed && credentialsOf(listed);
  };
}

/** The host of a registry as clients write it: "https://index.docker.io/v1/" is docker.io. */
export function registryHost(address: string): string {
  const host = address.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return host === "" || /^(index|registry-1)\.docker\.io$/.test(host) ? "docker.io" : host;
}

/** Undefined when there is nothing in it. */
export function credentialsOf(auth: AuthConfig): RegistryCredentials | undefined {
  const { username, password, identitytoken, registrytoken } = auth;
  const credentials = {
    ...(username && { username }),
    ...(password && { password }),
    ...(identitytoken && { identityToken: identitytoken }),
    ...(registrytoken && { registryToken: registrytoken }),
  };
  return Object.keys(credentials).length > 0 ? credentials : undefined;
}
