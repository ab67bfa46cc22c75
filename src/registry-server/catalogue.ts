import { Fault } from "#base";
import { type Digest, isDigest } from "#image";
import type { RegistryParts } from "./exchange.ts";
import { isRepositoryName, isTag, type RepositoryName } from "./layout.ts";
import { firstOf } from "./list-handlers.ts";
import type { Catalogue, PageOptions } from "./registry-server.ts";

/** The registry's content for pages and metrics. */
export function createCatalogue({ repositories }: RegistryParts): Catalogue {
  const size = ({ limit = 100 }: PageOptions) => Math.min(1000, Math.max(0, limit));
  return {
    async repositories(options = {}) {
      return (await firstOf(repositories.repositories(options.after), size(options))).items;
    },
    async tags(repository, options = {}) {
      const name = requireName(repository);
      const { items } = await firstOf(repositories.tags(name, options.after), size(options));
      if (items.length === 0 && !(await repositories.exists(name))) throw missing(repository);
      return items;
    },
    async manifest(repository, reference) {
      const name = requireName(repository);
      const digest = await resolve(name, reference);
      const found = digest && (await repositories.manifest(name, digest));
      if (!found) throw missing(`${repository}:${reference}`);
      return found;
    },
    async referrers(repository, subject) {
      const found = repositories.referrers(requireName(repository), subject);
      return (await firstOf(found, 1000)).items;
    },
  };

  async function resolve(name: RepositoryName, reference: string): Promise<Digest | undefined> {
    if (isDigest(reference)) return reference;
    return isTag(reference) ? await repositories.resolveTag(name, reference) : undefined;
  }
}

function requireName(text: string): RepositoryName {
  if (isRepositoryName(text)) return text;
  throw new Fault("invalid", `"${text.slice(0, 300)}" is not the name of a repository`);
}

function missing(what: string): Fault {
  return new Fault("not_found", `the registry has no ${what.slice(0, 500)}`, {
    about: what.slice(0, 500),
  });
}
