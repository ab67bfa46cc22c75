import { type Credentials, Fault, isFault, type Log, Patience, silentLog } from "#base";
import type { AddressKind } from "./address.ts";
import { Authenticator, type Refused } from "./authenticator.ts";
import { type Endpoint, rewritePath } from "./endpoint.ts";
import type { HostDirectory } from "./hosts.ts";
import type { HttpResponse, RequestBody } from "./http-connection.ts";
import type { HttpTransport, Trust } from "./http-transport.ts";
import { type Environment, proxyFor } from "./proxy.ts";
import { checkTarget, guardFor } from "./redirect.ts";
import { type Attempt, attempted, isPassingStatus, responseFault } from "./response-fault.ts";
import { type Backoff, isPassing, retryAfter } from "./retry.ts";

export interface SessionContext {
  readonly hosts: HostDirectory;
  readonly transport: HttpTransport;
  readonly credentials: (host: string) => Promise<Credentials | undefined>;
  readonly environment: Environment;
  readonly backoff: Backoff;
  readonly log?: Log | undefined;
}

/** One request of the specification. */
export interface Call {
  /** For messages, after "cannot": "pull the manifest of registry.example/app:1". */
  readonly action: string;
  readonly method: string;
  /** Below the API's root ("/app/tags/list?n=5"), below the host's, or where an earlier answer pointed to. */
  readonly target: string | { readonly fromHost: string } | URL;
  /** The scopes that a token must have: "repository:app:pull". */
  readonly scopes?: readonly string[];
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array | RequestBody;
  /** The statuses to be given back; all others become a Fault. */
  readonly expect: readonly number[];
  /**
   * For an address that a stranger has written: it gets neither login nor headers, even when it is
   * the endpoint's own.
   */
  readonly isForeign?: boolean;
  /** Whether to try again by itself; yes when left out. */
  readonly retry?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer extends HttpResponse {
  /** Who answered, after redirects. */
  readonly url: URL;
}

const maxRedirects = 5;

/** Requests to one endpoint: with its configuration, authorized, redirected, and tried again. */
export class EndpointSession {
  readonly endpoint: Endpoint;
  readonly #context: SessionContext;
  readonly #authenticator: Authenticator;
  readonly #trusts = new Map<string, Promise<Trust>>();
  #base: URL;
  #settled: boolean;
  #settling: Promise<unknown> | undefined;
  #home: AddressKind = "public";

  constructor(endpoint: Endpoint, context: SessionContext) {
    this.endpoint = endpoint;
    this.#context = context;
    this.#base = new URL(endpoint.base);
    this.#settled = !endpoint.mayBePlain || this.#base.protocol === "http:";
    this.#authenticator = new Authenticator({
      host: endpoint.host,
      credentials: () => context.credentials(endpoint.host),
      send: (origin, home, signal) => async (request) => {
        const attempt = { action: `get a token for ${endpoint.host}`, host: endpoint.host };
        const guard = guardFor(attempt, origin, home, { target: request.url });
        return this.#again(signal, () =>
          this.#raw({ ...request, attempt, guard, signal, isHome: false }),
        );
      },
    });
  }

  /** The path of a repository as this endpoint knows it. */
  path(repository: string): string {
    return rewritePath(this.endpoint, repository);
  }

  async call(call: Call): Promise<Answer> {
    const attempt = { action: call.action, host: this.#base.host };
    const answer = await this.#again(
      call.signal,
      () => this.#authorized(attempt, call),
      call.retry === false,
    ).catch((error: unknown) => {
      throw attempted(attempt, error);
    });
    if (call.expect.includes(answer.status)) return answer;
    throw await responseFault(attempt, answer);
  }

  /** Checks the credentials; the identity token that the registry may give for them. */
  async login(signal?: AbortSignal): Promise<string | undefined> {
    const action = `log in to ${this.endpoint.host}`;
    const attempt = { action, host: this.#base.host };
    const probe: Call = { action, method: "GET", target: "/", expect: [200], signal };
    const first = await this.#again(signal, () => this.#redirected(attempt, probe, undefined));
    await first.discard();
    let identityToken: string | undefined;
    if (first.status === 401) {
      await this.#authenticator.learn(attempt, [], refusal(first, undefined, false));
      identityToken = (await this.#authenticator.login(attempt, signal))?.identityToken;
    }
    await (await this.call(probe)).discard();
    return identityToken;
  }

  /** `work` again after a pause while it fails in passing, or answers that it cannot just now. */
  async #again(
    signal: AbortSignal | undefined,
    work: () => Promise<Answer>,
    once = false,
  ): Promise<Answer> {
    const { backoff, log = silentLog } = this.#context;
    const patience = new Patience(backoff, signal);
    for (;;) {
      try {
        const answer = await work();
        const { status } = answer;
        // A request that was answered "too many" was not carried out, so sending it again repeats
        // nothing.
        const mayPass = status === 429 || (!once && isPassingStatus(status));
        const asked = retryAfter(answer.headers.get("retry-after"));
        const isTooLong = asked !== undefined && asked > backoff.longest;
        if (!mayPass || isTooLong || !patience.bears()) return answer;
        log.debug("trying again", { host: answer.url.host, status });
        await answer.discard();
        await patience.pause(asked);
      } catch (error) {
        // A host that hangs once has cost enough time to be asked only once more.
        const weight = isFault(error, "timeout") ? Math.ceil(backoff.attempts / 2) : 1;
        if (once || !isPassing(error) || !patience.bears(weight)) throw error;
        log.debug("trying again", { host: this.#base.host, error });
        await patience.pause();
      }
    }
  }

  async #authorized(attempt: Attempt, call: Call): Promise<Answer> {
    const { scopes = [], signal } = call;
    for (let round = 0; ; round++) {
      const sent = call.isForeign
        ? undefined
        : await this.#authenticator.authorization(attempt, scopes, signal);
      const answer = await this.#redirected(attempt, call, sent);
      const isHome = answer.url.origin === this.#base.origin;
      const isOurs = answer.status === 401 && isHome && !call.isForeign;
      if (!isOurs || round >= 2) return answer;
      if (!(await this.#authenticator.learn(attempt, scopes, refusal(answer, sent, round === 0))))
        return answer;
      await answer.discard();
    }
  }

  async #redirected(
    attempt: Attempt,
    call: Call,
    authorization: string | undefined,
  ): Promise<Answer> {
    let target = this.#locate(attempt, call.target);
    for (let hops = 0; ; hops++) {
      const isHome = target.origin === this.#base.origin;
      const own = isHome && !call.isForeign ? this.endpoint.headers : [];
      const headers = [...(call.headers ?? []), ...own];
      if (isHome && authorization !== undefined) headers.push(["Authorization", authorization]);
      const isProxied = this.endpoint.proxy !== undefined;
      const guard = guardFor(attempt, this.#base, this.#home, { target, isProxied });
      const request = { ...call, attempt, url: target, headers, guard, isHome };
      const answer = await this.#raw(request);
      if (isHome && hops === 0) this.#home = answer.kind;
      const next = redirection(call, answer);
      if (next === undefined) return answer;
      await answer.discard();
      if (hops >= maxRedirects) {
        throw new Fault(
          "invalid",
          `cannot ${attempt.action}: ${attempt.host} redirects more than ${maxRedirects} times`,
          { about: attempt.host },
        );
      }
      target = checkTarget(attempt, answer.url, next);
    }
  }

  #locate(attempt: Attempt, target: Call["target"]): URL {
    if (target instanceof URL) return checkTarget(attempt, this.#base, target.href);
    if (typeof target === "object") return new URL(target.fromHost, this.#base.origin);
    const url = new URL(`${this.#base.href.replace(/\/$/, "")}${target}`);
    const { namespace } = this.endpoint;
    if (namespace !== undefined) url.searchParams.set("ns", namespace);
    return url;
  }

  async #raw(request: RawRequest): Promise<Answer> {
    if (!request.isHome) return this.#transmit(request);
    // Until it is known which of both the host speaks, one request goes ahead.
    while (!this.#settled && this.#settling) await this.#settling.catch(() => undefined);
    if (this.#settled) {
      const url = new URL(request.url);
      url.protocol = this.#base.protocol;
      return this.#transmit({ ...request, url });
    }
    const settling = this.#settle(request);
    this.#settling = settling;
    try {
      return await settling;
    } finally {
      this.#settling = undefined;
    }
  }

  async #settle(request: RawRequest): Promise<Answer> {
    try {
      const answer = await this.#transmit(request);
      this.#settled = true;
      return answer;
    } catch (error) {
      if (!isFault(error, "unavailable")) throw error;
      const url = new URL(request.url);
      url.protocol = "http:";
      const answer = await this.#transmit({ ...request, url });
      this.#base = new URL(this.#base.href.replace(/^https:/, "http:"));
      this.#settled = true;
      return answer;
    }
  }

  async #transmit(request: RawRequest): Promise<Answer> {
    const { method, url, headers, body, guard, signal, isHome } = request;
    const { proxy: own, connectTimeout } = this.endpoint;
    const response = await this.#context.transport.send({
      method,
      url,
      headers: headers ?? [],
      body,
      trust: isHome ? this.endpoint.trust : await this.#trustOf(url),
      proxy: isHome && own !== undefined ? new URL(own) : proxyFor(url, this.#context.environment),
      guard,
      connectTimeout,
      signal,
    });
    return { ...response, url };
  }

  /**
   * For another host: its own configuration; the authorities of this host, often a company's, count
   * too.
   */
  #trustOf(url: URL): Promise<Trust> {
    const { authorities } = this.endpoint.trust;
    const make = async (): Promise<Trust> => {
      const trust = (await this.#context.hosts.endpoints(url.host)).at(-1)?.trust;
      return {
        ...trust,
        authorities: [...authorities, ...(trust?.authorities ?? [])],
        verify: trust?.verify ?? true,
      };
    };
    const kept = this.#trusts.get(url.host) ?? make();
    this.#trusts.set(url.host, kept);
    return kept;
  }
}

interface RawRequest {
  readonly attempt: Attempt;
  readonly method: string;
  readonly url: URL;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array | RequestBody | undefined;
  readonly guard: (kind: AddressKind) => void;
  readonly signal?: AbortSignal | undefined;
  /** Whether it goes to the endpoint itself. */
  readonly isHome: boolean;
}

function refusal(answer: Answer, sent: string | undefined, isOld: boolean): Refused {
  return {
    fields: answer.headers.all("www-authenticate"),
    url: answer.url,
    home: answer.kind,
    sent,
    isOld,
  };
}

/** Where an answer redirects a request to; undefined when it does not. 307 and 308 keep the method. */
function redirection(call: Call, { status, headers }: Answer): string | undefined {
  const isRead = call.method === "GET" || call.method === "HEAD";
  const isRedirect = isRead
    ? [301, 302, 303, 307, 308].includes(status)
    : [307, 308].includes(status);
  return isRedirect ? headers.get("location") : undefined;
}
