import { createPublicKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Fault, type Log } from "#base";
import type { Authorizer, ExtraHandler } from "../registry-server.ts";
import { type AccessRules, everythingForUsers, parseAccessRules } from "./access-rules.ts";
import { createBasicAuthorizer, may } from "./basic-authorizer.ts";
import { openPasswordFile, type PasswordFile } from "./htpasswd.ts";
import { keyId } from "./json-web-token.ts";
import { openSigningKey } from "./signing-key.ts";
import { createTokenAuthorizer } from "./token-authorizer.ts";
import { createTokenEndpoint, tokenPath } from "./token-endpoint.ts";
import { trustedKeys } from "./trusted-keys.ts";
import { openWatchedFile } from "./watched-file.ts";

export interface AuthorizationOptions {
  /** Users and bcrypt hashes, as htpasswd(1) -B writes them. */
  readonly passwordFile?: string;
  /** Rules, see `parseAccessRules`; absent: users may do everything, others nothing. */
  readonly accessFile?: string;
  /** Tokens of our own: the key is kept at `keyFile`, made when it is missing. */
  readonly token?: { readonly keyFile: string; readonly service: string };
  /** Tokens of another issuer: docker-registry's `auth.token`. */
  readonly issuer?: ExternalIssuer;
  readonly log: Log;
}

/** Another program that issues tokens, in the words of docker-registry's `auth.token`. */
export interface ExternalIssuer {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** PEM file of certificates and public keys. */
  readonly rootCertBundle: string;
}

/**
 * The authorizer of requests, and the handlers that it needs. Without any option there is no
 * authorizer: everybody may do everything.
 */
export interface OpenedAuthorization {
  readonly authorizer?: Authorizer;
  readonly handlers: readonly ExtraHandler[];
}

/**
 * Reads the files with users and rights. `invalid` when they contradict each other or are wrong.
 */
export async function openAuthorization(
  options: AuthorizationOptions,
): Promise<OpenedAuthorization> {
  const { passwordFile, accessFile, token, issuer, log } = options;
  if (issuer) {
    if (passwordFile || accessFile || token) {
      throw new Fault("invalid", "tokens of another issuer say all: give no users and rules here");
    }
    return { authorizer: await externalTokens(issuer, log), handlers: [] };
  }
  if (token && !passwordFile) {
    throw new Fault("invalid", "tokens are given to users: name their file with --htpasswd");
  }
  if (!passwordFile && !accessFile) return { handlers: [] };
  const passwords = passwordFile ? await openPasswordFile({ path: passwordFile, log }) : undefined;
  const rules = await openRules(accessFile, log);
  const basic = createBasicAuthorizer({ rules, ...(passwords ? { passwords } : {}) });
  if (!token || !passwords) return { authorizer: basic, handlers: [] };
  return await ownTokens({ ...token, passwords, rules, basic, log });
}

async function openRules(path: string | undefined, log: Log): Promise<() => Promise<AccessRules>> {
  if (path === undefined) {
    const rules = everythingForUsers();
    return async () => rules;
  }
  const file = await openWatchedFile({
    path,
    what: "access file",
    parse: (text) => parseAccessRules(text, path),
    maxBytes: 1 << 20,
    log,
  });
  return () => file.current();
}

async function externalTokens(external: ExternalIssuer, log: Log): Promise<Authorizer> {
  const { realm, service, issuer, rootCertBundle } = external;
  const pem = await readFile(rootCertBundle, "utf8").catch((cause: Error) => {
    throw new Fault("invalid", `cannot read the issuer's certificates: ${cause.message}`, {
      about: rootCertBundle,
      cause,
    });
  });
  const keys = trustedKeys(pem, rootCertBundle);
  return createTokenAuthorizer({ realm, service, issuer, keys, log });
}

interface OwnTokens {
  readonly keyFile: string;
  readonly service: string;
  readonly passwords: PasswordFile;
  readonly rules: () => Promise<AccessRules>;
  readonly basic: Authorizer;
  readonly log: Log;
}

async function ownTokens(options: OwnTokens): Promise<OpenedAuthorization> {
  const { service, passwords, rules, basic, log } = options;
  const key = await openSigningKey(options.keyFile);
  const publicKey = createPublicKey(key);
  const kid = keyId(publicKey);
  const keys = (header: Readonly<Record<string, unknown>>) =>
    header.kid === kid ? publicKey : undefined;
  const issuer = service;
  return {
    authorizer: createTokenAuthorizer({
      realm: (origin) => `${origin}${tokenPath}`,
      service,
      issuer,
      keys,
      log,
      basic,
      async confirm(subject, request) {
        const user = subject === "" ? undefined : subject;
        if (user !== undefined && (await passwords.version(user)) === undefined) return false;
        return may(await rules(), user, request);
      },
    }),
    handlers: [createTokenEndpoint({ passwords, rules, key, keys, issuer, service })],
  };
}
