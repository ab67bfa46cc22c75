import { type CredentialSource, defined, Fault } from "#base";
import {
  isIndexType,
  type Platform,
  parseImageConfig,
  parseIndex,
  parseManifest,
  parseReference,
  withDefaultTag,
} from "#image";
import type { Repository } from "#registry-client";
import type { Parts } from "../parts.ts";
import type { CredentialLookup, Registries } from "./registry-contract.ts";

const maxConfig = 4 << 20;
const dockerHub = "docker.io";
const hubNames = new Set([dockerHub, "index.docker.io", "registry-1.docker.io"]);

/**
 * Credentials go to the registry in the name, and to none of its mirrors unless they have their
 * own.
 */
export function credentialSource(domain: string, lookup: CredentialLookup): CredentialSource {
  return async (host) => lookup(hubNames.has(host) && domain === dockerHub ? dockerHub : host);
}

/** The questions to registries beside pull and push. */
export function createRegistries(parts: Parts<"registry">): Registries {
  return {
    async login(host, credentials) {
      const client = await parts.registry(async () => undefined);
      return await client.login(host, credentials);
    },
    async distribution(text, credentials, signal) {
      const reference = withDefaultTag(parseReference(text));
      const client = await parts.registry(credentialSource(reference.domain, credentials));
      const repository = client.repository(reference);
      const wanted = reference.digest ?? reference.tag ?? "latest";
      const { descriptor, bytes } = await repository.manifest(wanted, { signal });
      const { mediaType, digest, size } = descriptor;
      const platforms = isIndexType(mediaType)
        ? parseIndex(bytes, `index ${digest}`).manifests.flatMap(({ platform }) => platform ?? [])
        : [await platformOf(repository, bytes, signal)];
      return { mediaType, digest, size, platforms };
    },
    async search(term, { limit, credentials }) {
      if (term.trim() === "") throw new Fault("invalid", "give a word to search for");
      const client = await parts.registry(async (host) => credentials(host));
      const found = await client.search(term, defined({ limit }));
      return found.map(({ name, description, starCount, isOfficial }) => ({
        name,
        description,
        stars: starCount,
        official: isOfficial,
      }));
    },
  };
}

/** The platform stands in the configuration, which is fetched for it. */
async function platformOf(
  repository: Repository,
  manifestBytes: Buffer,
  signal: AbortSignal,
): Promise<Platform> {
  const { config } = parseManifest(manifestBytes, "the manifest");
  if (config.size > maxConfig) {
    throw new Fault("exhausted", `the image's configuration has ${config.size} bytes`);
  }
  const chunks: Uint8Array[] = [];
  for await (const bytes of repository.blob(config, { signal })) chunks.push(bytes);
  const { architecture, os, variant } = parseImageConfig(Buffer.concat(chunks));
  return { architecture, os, ...defined({ variant }) };
}
