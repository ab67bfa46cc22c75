import { type Clock, isFault, type Log, systemClock } from "#base";
import type { AuthorizationRequest, Authorizer } from "../registry-server.ts";
import { parseAuthorization, quoted } from "./credentials.ts";
import { type KeyFinder, verifyToken } from "./json-web-token.ts";
import { type ResourceAccess, scopeText } from "./scope.ts";
import { type AccessToken, readAccessToken } from "./token-claims.ts";

interface TokenAuthorizerOptions {
  /** Where tokens are given out; from the client's view of this server when it is our own endpoint. */
  readonly realm: string | ((origin: string) => string);
  readonly service: string;
  readonly issuer: string;
  readonly keys: KeyFinder;
  readonly log: Log;
  /** May refuse what a token allows, when rights have changed since; absent: the token decides. */
  readonly confirm?: (subject: string, request: AuthorizationRequest) => Promise<boolean>;
  /** Judges requests without a token, with or without basic credentials; absent: tokens only. */
  readonly basic?: Authorizer;
  readonly clock?: Clock;
}

const maxRemembered = 1000;

/**
 * Bearer tokens (distribution's spec/auth/token.md): a client without a token that covers the
 * request is told, with the status 401, where to get one and for which scope. 403 is never the
 * answer, since clients fetch another token only after a 401.
 */
export function createTokenAuthorizer(options: TokenAuthorizerOptions): Authorizer {
  const { service, issuer, keys, log, clock = systemClock } = options;
  const remembered = new Map<string, AccessToken>();
  const accept = async (token: string): Promise<AccessToken> => {
    const now = Number(clock.now() / 1_000_000_000n);
    const known = remembered.get(token);
    if (known && known.expires > now) return known;
    remembered.delete(token);
    const accepted = readAccessToken(await verifyToken(token, keys, { issuer, service, now }));
    for (const oldest of remembered.keys()) {
      if (remembered.size < maxRemembered) break;
      remembered.delete(oldest);
    }
    remembered.set(token, accepted);
    return accepted;
  };
  const refuse = (request: AuthorizationRequest, error?: string) => {
    const realm = typeof options.realm === "string" ? options.realm : options.realm(request.origin);
    return {
      ok: false,
      status: 401,
      challenge: challengeOf({ realm, service, request, error }),
    } as const;
  };
  return {
    async authorize(request) {
      const given = parseAuthorization(request.authorization);
      if (given.scheme === "basic" && options.basic) return await options.basic.authorize(request);
      if (given.scheme !== "bearer") return refuse(request);
      let token: AccessToken;
      try {
        token = await accept(given.token);
      } catch (error) {
        if (!isFault(error, "unauthenticated")) throw error;
        log.info("a token was refused", { reason: error.message, remote: request.remote });
        return refuse(request, "invalid_token");
      }
      const confirmed = (await options.confirm?.(token.subject, request)) ?? true;
      if (!confirmed || !covers(token.access, request))
        return refuse(request, "insufficient_scope");
      return { ok: true, ...(token.subject === "" ? {} : { subject: token.subject }) };
    },
  };
}

/** The rights that a request needs, in the words of a token; undefined for the ping. */
function neededAccess({ repository, actions }: AuthorizationRequest): ResourceAccess | undefined {
  if (repository !== undefined) return { type: "repository", name: repository, actions };
  return actions.length === 0 ? undefined : { type: "registry", name: "catalog", actions: ["*"] };
}

function covers(access: readonly ResourceAccess[], request: AuthorizationRequest): boolean {
  const needed = neededAccess(request);
  if (!needed) return true;
  const given = new Set(
    access
      .filter(({ type, name }) => type === needed.type && name === needed.name)
      .flatMap(({ actions }) => actions),
  );
  return needed.actions.every(
    (action) => given.has(action) || (given.has("*") && needed.type === "repository"),
  );
}

interface Challenge {
  readonly realm: string;
  readonly service: string;
  readonly request: AuthorizationRequest;
  readonly error: string | undefined;
}

/** RFC 6750, section 3, in the order of fields that docker-registry uses. */
function challengeOf({ realm, service, request, error }: Challenge): string {
  const needed = neededAccess(request);
  const fields = [`realm=${quoted(realm)}`, `service=${quoted(service)}`];
  if (needed) fields.push(`scope=${quoted(scopeText(needed))}`);
  if (error !== undefined) fields.push(`error=${quoted(error)}`);
  return `Bearer ${fields.join(",")}`;
}
