import type { CredentialLookup } from "#engine";
import { credentialsOf, decodeRegistryAuth, decodeRegistryConfig } from "#wire";
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
