import { type KeyObject, randomUUID } from "node:crypto";
import { Fault } from "#base";
import { keyId, signToken, type VerifiedToken } from "./json-web-token.ts";
import type { ResourceAccess } from "./scope.ts";

/** The claims of a token that is in force. */
export interface AccessToken {
  /** Empty: no login. */
  readonly subject: string;
  readonly access: readonly ResourceAccess[];
  /** Seconds since the epoch. */
  readonly expires: number;
}

const maxResources = 1000;

/** The claims of distribution's spec/auth/jwt.md beside those that every token has: an end, and access. `unauthenticated` with the reason. */
export function readAccessToken({ header, claims }: VerifiedToken): AccessToken {
  const refuse: (why: string) => never = (why) => {
    throw new Fault("unauthenticated", `the token is not accepted: ${why}`);
  };
  if (header.typ === refreshType) refuse("it is a refresh token");
  const { exp } = claims;
  if (typeof exp !== "number") refuse("it has no end");
  const access = claims.access ?? [];
  if (!Array.isArray(access) || access.length > maxResources) refuse("its access is malformed");
  return {
    subject: typeof claims.sub === "string" ? claims.sub : "",
    access: access.map((each) => readResource(each) ?? refuse("its access is malformed")),
    expires: exp,
  };
}

function readResource(value: unknown): ResourceAccess | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { type, name, actions } = value as Record<string, unknown>;
  const list = actions ?? [];
  if (typeof type !== "string" || typeof name !== "string" || !Array.isArray(list))
    return undefined;
  return { type, name, actions: list.filter((action) => typeof action === "string") };
}

const refreshType = "thimble-refresh+jwt";

interface Minting {
  readonly key: KeyObject;
  readonly issuer: string;
  readonly service: string;
  readonly subject: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** An access token as docker-registry reads it too, for `lifetime` seconds. */
export function mintAccessToken(
  options: Minting & { readonly access: readonly ResourceAccess[]; readonly lifetime: number },
): Promise<string> {
  const { key, issuer, service, subject, now, access, lifetime } = options;
  return signToken({
    key,
    header: { typ: "JWT", kid: keyId(key) },
    claims: {
      iss: issuer,
      sub: subject,
      aud: service,
      exp: now + lifetime,
      nbf: now,
      iat: now,
      jti: randomUUID(),
      access,
    },
  });
}

/** A refresh token: good for as long as the user's password has this version. */
export function mintRefreshToken(options: Minting & { readonly version: string }): Promise<string> {
  const { key, issuer, service, subject, now, version } = options;
  return signToken({
    key,
    header: { typ: refreshType, kid: keyId(key) },
    claims: { iss: issuer, sub: subject, aud: service, iat: now, version },
  });
}

/**
 * The user of a refresh token, and the version of its password when it was made; undefined when it
 * is not ours.
 */
export function readRefreshToken({
  header,
  claims,
}: VerifiedToken): { readonly subject: string; readonly version: string } | undefined {
  const { sub, version } = claims;
  if (header.typ !== refreshType) return undefined;
  if (typeof sub !== "string" || typeof version !== "string") return undefined;
  return { subject: sub, version };
}
