import { deleteBlob, getBlob } from "./blob-handlers.ts";
import { type Exchange, type RegistryParts, requireDigestText, requireName } from "./exchange.ts";
import { listReferrers, listRepositories, listTags } from "./list-handlers.ts";
import { deleteManifest, getManifest, putManifest } from "./manifest-handlers.ts";
import { RegistryError, registryErrorOf } from "./registry-error.ts";
import type {
  Authorization,
  Authorizer,
  Catalogue,
  ExtraHandler,
  RegistryAction,
  RequestObservation,
  RouteName,
} from "./registry-server.ts";
import { neededActions, parseRoute, type Route } from "./route.ts";
import type { HostCheck } from "./served-host.ts";
import { beginUpload, continueUpload } from "./upload-handlers.ts";

const maxExtraBody = 64 << 10;

export interface AppParts extends RegistryParts {
  readonly catalogue: Catalogue;
  readonly authorizer?: Authorizer | undefined;
  readonly handlers?: readonly ExtraHandler[] | undefined;
  readonly observe?: ((request: RequestObservation) => void) | undefined;
  /** "http://127.0.0.1:5000": the origin where a client names no host that could be one. */
  readonly origin: () => string;
  readonly isOwnHost: HostCheck;
}

/** Requests to answers; knows nothing of sockets. */
export class RegistryApp {
  readonly #parts: AppParts;

  constructor(parts: AppParts) {
    this.#parts = parts;
  }

  /** Never rejects. */
  async handle(request: Request, remote: string): Promise<Response> {
    const begun = performance.now();
    const url = new URL(request.url);
    const route = parseRoute(url.pathname);
    const isOurs = url.pathname === "/v2" || url.pathname.startsWith("/v2/");
    const caller = new Caller(this.#parts, request, remote);
    const exchange: Exchange = {
      request,
      url,
      isHead: request.method === "HEAD",
      isOpen: this.#parts.authorizer === undefined,
      mayUse: (name, actions) => caller.authorize(name, actions),
      received: 0,
      sent: 0,
    };
    let response: Response;
    try {
      this.#requireOwn(request);
      response = isOurs
        ? await this.#registry(exchange, route, caller)
        : await this.#extra(exchange, caller);
    } catch (error) {
      response = this.#failed(exchange, error);
    }
    if (isOurs) {
      response.headers.set("Docker-Distribution-Api-Version", "registry/2.0");
      response.headers.set("X-Content-Type-Options", "nosniff");
    }
    const name: RouteName = isOurs ? (route?.kind ?? "other") : "extra";
    this.#observe(exchange, { name, status: response.status, begun });
    return response;
  }

  /** Refuses requests that a browser makes on behalf of another site. */
  #requireOwn(request: Request): void {
    if (!this.#parts.isOwnHost(request.headers.get("host"))) {
      throw new RegistryError(
        "DENIED",
        "this registry does not know the name in the Host header; start it with --host-name for each name that clients use",
      );
    }
    if (isFromOtherPage(request)) {
      throw new RegistryError("DENIED", "a page of another site may not write here");
    }
  }

  async #registry(exchange: Exchange, route: Route | undefined, caller: Caller): Promise<Response> {
    const { method } = exchange.request;
    if (!route) {
      throw new RegistryError("UNSUPPORTED", "the registry has nothing at this path", {
        status: 404,
      });
    }
    const hasId = route.kind === "upload" && route.id !== undefined;
    const actions = neededActions(route.kind, method, hasId);
    if (!actions) throw new RegistryError("UNSUPPORTED", `${method} is not supported here`);
    // Names are checked first, so that an authorizer is asked about names only.
    const name = "name" in route ? requireName(route.name) : undefined;
    await caller.require(name, actions);
    if (this.#parts.pullThrough && !["GET", "HEAD"].includes(method)) {
      throw new RegistryError("UNSUPPORTED", "this registry is a cache of another; push there");
    }
    return await this.#dispatch(exchange, route);
  }

  async #dispatch(exchange: Exchange, route: Route): Promise<Response> {
    const parts = this.#parts;
    const { method } = exchange.request;
    if (route.kind === "base") {
      return new Response("{}", { headers: { "Content-Type": "application/json" } });
    }
    if (route.kind === "catalog") return await listRepositories(parts, exchange);
    const name = requireName(route.name);
    switch (route.kind) {
      case "tags":
        return await listTags(parts, exchange, name);
      case "referrers": {
        const digest = requireDigestText(route.digest);
        return await listReferrers(parts, exchange, { name, digest });
      }
      case "manifest": {
        const target = { name, reference: route.reference };
        if (method === "PUT") return await putManifest(parts, exchange, target);
        if (method === "DELETE") return await deleteManifest(parts, target);
        return await getManifest(parts, exchange, target);
      }
      case "blob": {
        const target = { name, digest: requireDigestText(route.digest) };
        if (method === "DELETE") return await deleteBlob(parts, target);
        return await getBlob(parts, exchange, target);
      }
      case "upload":
        if (route.id === undefined) return await beginUpload(parts, exchange, name);
        return await continueUpload(parts, exchange, { name, id: route.id });
    }
  }

  async #extra(exchange: Exchange, caller: Caller): Promise<Response> {
    const { request, url } = exchange;
    if (Number(request.headers.get("content-length") ?? 0) > maxExtraBody) {
      return new Response("the request is too large\n", { status: 413 });
    }
    const limited = request.body ? await withLimitedBody(request) : request;
    if (!limited) return new Response("the request is too large\n", { status: 413 });
    const context = {
      remote: caller.remote,
      origin: caller.origin,
      url,
      catalogue: this.#parts.catalogue,
      authorize: (repository: string | undefined, actions: readonly RegistryAction[]) =>
        caller.authorize(repository, actions),
    };
    for (const handler of this.#parts.handlers ?? []) {
      const response = await handler.handle(limited, context);
      if (response) return response;
    }
    return new Response("this page does not exist; the registry is at /v2/\n", { status: 404 });
  }

  #failed(exchange: Exchange, error: unknown): Response {
    const told = registryErrorOf(error);
    // A client that went away is no trouble of ours.
    if (told.status >= 500 && !exchange.request.signal.aborted) {
      const { method } = exchange.request;
      this.#parts.log.error("a request failed", { method, path: exchange.url.pathname, error });
    }
    return told.response();
  }

  #observe(
    exchange: Exchange,
    outcome: { readonly name: RouteName; readonly status: number; readonly begun: number },
  ): void {
    const { observe } = this.#parts;
    if (!observe) return;
    observe({
      method: exchange.request.method,
      route: outcome.name,
      status: outcome.status,
      seconds: (performance.now() - outcome.begun) / 1000,
      received: exchange.received,
      sent: exchange.sent,
    });
  }
}

/** The client, and the authorizer's verdict about it. */
class Caller {
  readonly remote: string;
  readonly origin: string;
  readonly #authorizer: Authorizer | undefined;
  readonly #request: Request;

  constructor(parts: AppParts, request: Request, remote: string) {
    this.#authorizer = parts.authorizer;
    this.#request = request;
    this.remote = remote;
    this.origin = originOf(request, parts.origin());
  }

  async authorize(
    repository: string | undefined,
    actions: readonly RegistryAction[],
  ): Promise<Authorization> {
    if (!this.#authorizer) return { ok: true };
    return await this.#authorizer.authorize({
      method: this.#request.method,
      repository,
      actions,
      authorization: this.#request.headers.get("authorization") ?? undefined,
      remote: this.remote,
      origin: this.origin,
    });
  }

  async require(repository: string | undefined, actions: readonly RegistryAction[]): Promise<void> {
    const answer = await this.authorize(repository, actions);
    if (answer.ok) return;
    const detail = { repository, actions };
    const wait = answer.retryAfter;
    const retry = wait === undefined ? {} : { "Retry-After": String(Math.ceil(wait)) };
    if (answer.status === 429) {
      throw new RegistryError("TOOMANYREQUESTS", "too many tries; wait", { headers: retry });
    }
    if (answer.status === 403) {
      throw new RegistryError("DENIED", "requested access to the resource is denied", { detail });
    }
    throw new RegistryError("UNAUTHORIZED", "authentication required", {
      detail,
      headers: { "WWW-Authenticate": answer.challenge ?? 'Basic realm="registry"' },
    });
  }
}

/**
 * Whether a browser posts for a page of another site, with the login that it remembers for
 * this one: POST alone needs no leave (the Fetch standard's CORS), and no client of a registry says an origin.
 */
function isFromOtherPage({ method, headers }: Request): boolean {
  const origin = headers.get("origin");
  if (method !== "POST" || origin === null) return false;
  return !URL.canParse(origin) || new URL(origin).host !== headers.get("host");
}

/** As the client named this server; a proxy before it says with X-Forwarded-Proto that it speaks TLS. */
function originOf(request: Request, own: string): string {
  const host = request.headers.get("host") ?? "";
  if (!/^(?:[A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?$/.test(host)) return own;
  const isTls = own.startsWith("https:") || request.headers.get("x-forwarded-proto") === "https";
  return `${isTls ? "https" : "http"}://${host}`;
}

async function withLimitedBody(request: Request): Promise<Request | undefined> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > maxExtraBody) return undefined;
    parts.push(chunk);
  }
  const { url, method, headers, signal } = request;
  return new Request(url, { method, headers, signal, body: Buffer.concat(parts) });
}
