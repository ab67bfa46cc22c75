import type { Credentials } from "#base";
import type { CredentialLookup } from "#engine";
import { parseReference } from "#image";
import type { BuildClient } from "../build/solver.ts";

/** Docker Hub, as clients call it when they are asked for what they log in with. */
const hub = { name: "docker.io", registry: "registry-1.docker.io" };

/** What a client logs in with at the registries of these images; names that are none are left out. */
export async function credentialsOf(
  client: BuildClient,
  images: Iterable<string>,
): Promise<CredentialLookup> {
  const hosts = new Set<string>();
  for (const image of images) {
    const host = registryOf(image);
    if (host !== undefined) hosts.add(host);
  }
  const known = new Map<string, Credentials>();
  for (const host of hosts) {
    const found = await client.credentials(host === hub.name ? hub.registry : host);
    if (found === undefined) continue;
    const { username, secret } = found;
    known.set(host, username === "" ? { identityToken: secret } : { username, password: secret });
  }
  return (host) => known.get(host);
}

function registryOf(image: string): string | undefined {
  try {
    return parseReference(image).domain;
  } catch {
    return undefined;
  }
}
