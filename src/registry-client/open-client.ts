import { type Credentials, Fault } from "#base";
import { parseReference, type Reference } from "#image";
import { EndpointSession, type SessionContext } from "./endpoint-session.ts";
import { HttpTransport } from "./http-transport.ts";
import { listPages } from "./pages.ts";
import type {
  OperationOptions,
  RegistryClient,
  RegistryClientOptions,
  SearchOptions,
  SearchResult,
} from "./registry-client.ts";
import { RemoteRepository } from "./remote-repository.ts";
import { defaultBackoff } from "./retry.ts";
import { searchIndex } from "./search.ts";

const defaultTimeouts = { connect: 15_000, response: 30_000, stall: 30_000 };
const maxRepositories = 1_000_000;
const usualSearchLimit = 25;

/**
 * Opens nothing: connections are made by the first request. Timeouts are in milliseconds, by
 * default 15 s to connect, 30 s for an answer and 30 s without a byte.
 */
export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  return new HttpRegistryClient(options);
}

class HttpRegistryClient implements RegistryClient {
  readonly #context: SessionContext;
  readonly #sessions = new Map<string, Promise<readonly EndpointSession[]>>();

  constructor(options: RegistryClientOptions) {
    const credentials = new Map<string, Promise<Credentials | undefined>>();
    const timeouts = { ...defaultTimeouts, ...options.timeouts };
    this.#context = {
      hosts: options.hosts,
      transport: new HttpTransport(timeouts, options.resolve),
      environment: options.environment ?? {},
      backoff: { ...defaultBackoff, ...options.retries },
      log: options.log,
      credentials: (host) => {
        const known =
          credentials.get(host) ?? options.credentials?.(host) ?? Promise.resolve(undefined);
        credentials.set(host, known);
        return known;
      },
    };
  }

  repository(name: Reference): RemoteRepository {
    const { backoff, log } = this.#context;
    return new RemoteRepository({
      name,
      sessions: () => this.#sessionsOf(name.domain),
      backoff,
      log,
    });
  }

  async login(
    host: string,
    credentials: Credentials,
    { signal }: OperationOptions = {},
  ): Promise<{ identityToken?: string }> {
    const domain = domainOf(host);
    const endpoint = (await this.#context.hosts.endpoints(domain)).at(-1);
    if (!endpoint) throw new Fault("invalid", `"${host}" is not a registry host`);
    const context = { ...this.#context, credentials: async () => credentials };
    const identityToken = await new EndpointSession(endpoint, context).login(signal);
    return identityToken === undefined ? {} : { identityToken };
  }

  async *catalog(host: string, { signal }: OperationOptions = {}): AsyncGenerator<string> {
    const pages = listPages(await this.#origin(domainOf(host)), {
      action: `list the repositories of ${host}`,
      target: "/_catalog?n=1000",
      scopes: ["registry:catalog:*"],
      signal,
    });
    let count = 0;
    for await (const { document } of pages) {
      const names = document
        .at("repositories")
        .optional((c) => c.list(maxRepositories, (each) => each.string(1024)));
      for (const name of names ?? []) {
        if (++count > maxRepositories) {
          throw new Fault("exhausted", `${host} has more than ${maxRepositories} repositories`);
        }
        yield name;
      }
    }
  }

  async search(
    term: string,
    { limit = usualSearchLimit, signal }: SearchOptions = {},
  ): Promise<readonly SearchResult[]> {
    const [, first = "", rest] = /^([^/]*[.:][^/]*|localhost)\/(.+)$/.exec(term) ?? [];
    const host = rest === undefined ? "docker.io" : domainOf(first);
    const wanted = rest ?? term;
    const session = await this.#origin(host);
    const found = await searchIndex(session, { host, term: wanted, limit, signal });
    if (found) return found;
    const results: SearchResult[] = [];
    for await (const name of this.catalog(host, { signal })) {
      if (!name.includes(wanted)) continue;
      results.push({ name, description: "", starCount: 0, isOfficial: false, isAutomated: false });
      if (results.length >= limit) break;
    }
    return results;
  }

  async #origin(host: string): Promise<EndpointSession> {
    const session = (await this.#sessionsOf(host)).at(-1);
    if (!session) throw new Fault("invalid", `"${host}" is not a registry host`);
    return session;
  }

  #sessionsOf(host: string): Promise<readonly EndpointSession[]> {
    const open = async () => {
      const endpoints = await this.#context.hosts.endpoints(host);
      return endpoints.map((endpoint) => new EndpointSession(endpoint, this.#context));
    };
    const known = this.#sessions.get(host) ?? open();
    this.#sessions.set(host, known);
    return known;
  }
}

/** A host as users write it, also as the address that Docker keeps for its hub ("https://index.docker.io/v1/"). */
function domainOf(host: string): string {
  const name = host.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  const domain = parseReference(`${name}/x`).domain;
  if (domain === "docker.io" && !/docker\.io$/.test(name)) {
    throw new Fault(
      "invalid",
      `"${host}" is not a registry host; write it as registry.example:5000`,
      {
        about: host,
      },
    );
  }
  return domain === "registry-1.docker.io" ? "docker.io" : domain;
}
