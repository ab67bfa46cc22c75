import type { KeyObject } from "node:crypto";
import { type Clock, Fault, faultOf, formatTime, systemClock } from "#base";
import type { ExtraHandler } from "../registry-server.ts";
import type { AccessRules } from "./access-rules.ts";
import { identify } from "./basic-authorizer.ts";
import type { PasswordFile } from "./htpasswd.ts";
import { type KeyFinder, verifyToken } from "./json-web-token.ts";
import { grant, parseScopes } from "./scope.ts";
import { mintAccessToken, mintRefreshToken, readRefreshToken } from "./token-claims.ts";

interface TokenEndpointOptions {
  readonly passwords: PasswordFile;
  readonly rules: () => Promise<AccessRules>;
  readonly key: KeyObject;
  /** Finds the public half of `key`. */
  readonly keys: KeyFinder;
  readonly issuer: string;
  readonly service: string;
  /** Seconds for which an access token counts; clients expect at least 60. Default 300. */
  readonly lifetimeSeconds?: number;
  readonly clock?: Clock;
}

/** The token that is asked for. */
interface TokenRequest {
  /** Undefined: an anonymous user. */
  readonly user: string | undefined;
  readonly scopes: readonly string[];
  readonly wantsRefreshToken: boolean;
}

export const tokenPath = "/token";

/**
 * Gives out tokens at /token: GET with basic credentials (distribution's spec/auth/token.md) and
 * POST with a password or refresh token (spec/auth/oauth.md). Rights that a user lacks are left out
 * of the token, without an error. A refresh token, which `docker login` keeps instead of the
 * password, counts until the password changes.
 */
export function createTokenEndpoint(options: TokenEndpointOptions): ExtraHandler {
  return {
    async handle(request, { url }) {
      if (url.pathname !== tokenPath) return undefined;
      try {
        if (request.method === "GET")
          return await answer(options, await readGet(options, request, url));
        if (request.method === "POST")
          return await answer(options, await readPost(options, request));
        return refusal(405, "unsupported_grant_type", "a token is asked for by GET or POST", {
          Allow: "GET, POST",
        });
      } catch (error) {
        const fault = faultOf(error);
        if (fault.code === "unauthenticated") {
          return refusal(401, "invalid_grant", fault.message, {
            "WWW-Authenticate": 'Basic realm="thimble registry"',
          });
        }
        if (fault.code === "exhausted")
          return refusal(429, "temporarily_unavailable", fault.message, { "Retry-After": "5" });
        if (fault.code === "invalid" || fault.code === "unsupported") {
          const name = fault.code === "invalid" ? "invalid_request" : "unsupported_grant_type";
          return refusal(400, name, fault.message);
        }
        throw error;
      }
    },
  };
}

async function readGet(
  { passwords, service }: TokenEndpointOptions,
  request: Request,
  url: URL,
): Promise<TokenRequest> {
  const query = url.searchParams;
  checkService(query.get("service"), service);
  const header = request.headers.get("authorization") ?? undefined;
  return {
    user: await login(header, passwords),
    scopes: query.getAll("scope"),
    wantsRefreshToken: query.get("offline_token") === "true",
  };
}

async function readPost(options: TokenEndpointOptions, request: Request): Promise<TokenRequest> {
  const { passwords, service } = options;
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded\b/i.test(type)) {
    throw new Fault("invalid", "a token is asked for as application/x-www-form-urlencoded");
  }
  const form = new URLSearchParams(await request.text());
  checkService(form.get("service"), service);
  const scopes = form.getAll("scope");
  const kind = form.get("grant_type");
  if (kind === "refresh_token") {
    const user = await userOfRefreshToken(options, form.get("refresh_token") ?? "");
    return { user, scopes, wantsRefreshToken: false };
  }
  if (kind !== "password") {
    throw new Fault("unsupported", 'grant_type must be "password" or "refresh_token"');
  }
  const pair = `${form.get("username") ?? ""}:${form.get("password") ?? ""}`;
  const user = await login(`Basic ${Buffer.from(pair).toString("base64")}`, passwords);
  if (user === undefined) throw new Fault("unauthenticated", "user and password are missing");
  return { user, scopes, wantsRefreshToken: form.get("access_type") === "offline" };
}

function checkService(asked: string | null, service: string): void {
  if (asked === null || asked === "" || asked === service) return;
  const shown = asked.slice(0, 200);
  throw new Fault("invalid", `tokens for "${shown}" are not given here, only for "${service}"`, {
    about: shown,
  });
}

async function login(header: string | undefined, passwords: PasswordFile) {
  const identity = await identify(header, passwords);
  if (identity.kind === "known") return identity.user;
  throw identity.kind === "busy"
    ? new Fault("exhausted", "too many passwords are being checked; try again later")
    : new Fault("unauthenticated", "incorrect username or password");
}

async function userOfRefreshToken(
  { keys, issuer, service, passwords, clock = systemClock }: TokenEndpointOptions,
  token: string,
): Promise<string> {
  const now = Number(clock.now() / 1_000_000_000n);
  const claim = readRefreshToken(await verifyToken(token, keys, { issuer, service, now }));
  if (claim && (await passwords.version(claim.subject)) === claim.version) return claim.subject;
  throw new Fault("unauthenticated", "the refresh token no longer counts; log in again");
}

async function answer(options: TokenEndpointOptions, wanted: TokenRequest): Promise<Response> {
  const { key, issuer, service, passwords, clock = systemClock } = options;
  const lifetime = options.lifetimeSeconds ?? 300;
  const { user, wantsRefreshToken } = wanted;
  const access = grant(await options.rules(), user, parseScopes(wanted.scopes));
  const now = clock.now();
  const minting = { key, issuer, service, subject: user ?? "", now: Number(now / 1_000_000_000n) };
  const token = await mintAccessToken({ ...minting, access, lifetime });
  const version =
    user !== undefined && wantsRefreshToken ? await passwords.version(user) : undefined;
  return Response.json(
    {
      token,
      access_token: token,
      token_type: "Bearer",
      expires_in: lifetime,
      issued_at: formatTime(now),
      scope: wanted.scopes.join(" "),
      ...(version === undefined
        ? {}
        : { refresh_token: await mintRefreshToken({ ...minting, version }) }),
    },
    { headers: { "Cache-Control": "no-store" } },
  );
}

/** In the words of OAuth (RFC 6749, 5.2) and of registries: clients read the one or the other. */
function refusal(
  status: number,
  error: string,
  message: string,
  headers: Record<string, string> = {},
) {
  const code = status === 401 ? "UNAUTHORIZED" : status === 429 ? "TOOMANYREQUESTS" : "UNSUPPORTED";
  return Response.json(
    { error, error_description: message, errors: [{ code, message }] },
    { status, headers: { "Cache-Control": "no-store", ...headers } },
  );
}
