import { type Credentials, Fault } from "#base";
import type { AddressKind } from "./address.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { checkTarget } from "./redirect.ts";
import type { Attempt } from "./response-fault.ts";
import { basicAuthorization, fetchToken, type Token, type TokenSend } from "./tokens.ts";

export interface AuthenticatorOptions {
  readonly host: string;
  /** Asked once, and only when the registry wants to know. */
  readonly credentials: () => Promise<Credentials | undefined>;
  /** To a token server at an address that the registry, itself at an address of that kind, may name. */
  readonly send: (origin: URL, home: AddressKind, signal?: AbortSignal) => TokenSend;
}

interface Bearer {
  readonly scheme: "bearer";
  readonly realm: URL;
  readonly service: string | undefined;
  readonly origin: URL;
  readonly home: AddressKind;
}

interface Kept {
  readonly token: Promise<Token>;
  /** The token once it is there. */
  value?: string;
  expires: number;
}

/** The answer in which a challenge came. */
export interface Refused {
  readonly fields: readonly string[];
  readonly url: URL;
  readonly home: AddressKind;
  /** The Authorization that was sent. */
  readonly sent: string | undefined;
  /** Whether that was a token of an earlier request, which may have run out. */
  readonly isOld: boolean;
}

/**
 * The way into one host: anonymous until it asks, then Basic or Bearer tokens, one for each set of
 * scopes until it expires. Requests that need the same token at the same time share it.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #tokens = new Map<string, Kept>();
  /** Scopes that a challenge asked for beyond those that we know to be needed. */
  readonly #extra = new Map<string, readonly string[]>();
  #credentials: Promise<Credentials | undefined> | undefined;
  #way: Bearer | { readonly scheme: "basic" } | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** The Authorization for a request that needs `scopes`; undefined while nothing was asked for. */
  async authorization(
    attempt: Attempt,
    scopes: readonly string[],
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const way = this.#way;
    if (!way) return undefined;
    const credentials = await this.#known();
    if (way.scheme === "basic") return credentials && basicAuthorization(credentials);
    if (credentials?.registryToken !== undefined) return `Bearer ${credentials.registryToken}`;
    const { token } = await this.#token(attempt, way, scopes, signal);
    return `Bearer ${token}`;
  }

  /** Learns from a 401; whether it is worth asking again with what `authorization` then says. */
  async learn(attempt: Attempt, scopes: readonly string[], refused: Refused): Promise<boolean> {
    const challenges = parseChallenges(refused.fields);
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer) return this.#learnBearer(attempt, scopes, refused, bearer);
    if (!challenges.some(({ scheme }) => scheme === "basic")) return false;
    this.#way = { scheme: "basic" };
    const credentials = await this.#known();
    return credentials?.username !== undefined && refused.sent !== basicAuthorization(credentials);
  }

  #learnBearer(
    attempt: Attempt,
    scopes: readonly string[],
    { url, home, sent, isOld }: Refused,
    { parameters }: Challenge,
  ): boolean {
    const realm = parameters.get("realm");
    if (realm === undefined) return false;
    const key = keyOf(scopes);
    const asked = (parameters.get("scope") ?? "").split(" ").filter((each) => each !== "");
    const before = this.#extra.get(key);
    const isSame = before !== undefined && asked.every((each) => before.includes(each));
    this.#extra.set(key, asked.slice(0, 20));
    this.#way = {
      scheme: "bearer",
      realm: checkTarget(attempt, url, realm),
      service: parameters.get("service"),
      origin: url,
      home,
    };
    const hadToken = sent?.startsWith("Bearer ") ?? false;
    const isWorthIt = !hadToken || isOld || !isSame;
    // Unless another request has replaced it already.
    if (hadToken && isWorthIt && sent === `Bearer ${this.#tokens.get(key)?.value}`) {
      this.#tokens.delete(key);
    }
    return isWorthIt;
  }

  /** A token for no scope at all, or the failure to get one: what `docker login` wants to know. */
  async login(attempt: Attempt, signal?: AbortSignal): Promise<Token | undefined> {
    const way = this.#way;
    if (way?.scheme !== "bearer") return undefined;
    const credentials = await this.#known();
    const send = this.#options.send(way.origin, way.home, signal);
    return fetchToken(send, attempt, { ...way, scopes: [], credentials, offline: true });
  }

  #known(): Promise<Credentials | undefined> {
    this.#credentials ??= this.#options.credentials();
    return this.#credentials;
  }

  async #token(
    attempt: Attempt,
    way: Bearer,
    scopes: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const key = keyOf(scopes);
    const kept = this.#tokens.get(key);
    if (kept && kept.expires > performance.now()) {
      try {
        return await kept.token;
      } catch (error) {
        // The caller who had asked for the token has given up; others still need it.
        if (!(error instanceof Fault && error.code === "canceled") || signal?.aborted) throw error;
      }
    }
    const token = this.#known().then((credentials) =>
      fetchToken(this.#options.send(way.origin, way.home, signal), attempt, {
        ...way,
        scopes: mergeScopes([...scopes, ...(this.#extra.get(key) ?? [])]),
        credentials,
      }),
    );
    const entry: Kept = { token, expires: Number.POSITIVE_INFINITY };
    this.#tokens.set(key, entry);
    try {
      const got = await token;
      entry.value = got.token;
      entry.expires = performance.now() + got.lifetime;
      return got;
    } catch (error) {
      if (this.#tokens.get(key) === entry) this.#tokens.delete(key);
      throw error;
    }
  }
}

function keyOf(scopes: readonly string[]): string {
  return scopes.toSorted().join(" ");
}

/** Scopes of one resource as one, their actions joined: "repository:a/b:pull,push". */
function mergeScopes(scopes: readonly string[]): string[] {
  const merged = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const at = scope.lastIndexOf(":");
    const resource = scope.slice(0, at);
    const actions = merged.get(resource) ?? new Set();
    for (const action of scope.slice(at + 1).split(",")) actions.add(action);
    merged.set(resource, actions);
  }
  return [...merged].map(
    ([resource, actions]) => `${resource}:${[...actions].toSorted().join(",")}`,
  );
}
