import { isFault } from "#base";
import type { AuthorizationRequest, Authorizer } from "../registry-server.ts";
import type { AccessRules } from "./access-rules.ts";
import { parseAuthorization, quoted } from "./credentials.ts";
import type { PasswordFile } from "./htpasswd.ts";

interface BasicAuthorizerOptions {
  /** Absent: there are no users, the rules for everybody are all that counts. */
  readonly passwords?: PasswordFile;
  readonly rules: () => Promise<AccessRules>;
  readonly realm?: string;
}

const retryAfterSeconds = 5;

/**
 * User and password with each request (RFC 7617), rights by rules. A client that lacks a right is
 * asked to log in (401), or refused (403) when it has done so. The ping asks for a login wherever
 * there are users, since clients learn there how to log in; a client without credentials goes on
 * without them.
 */
export function createBasicAuthorizer(options: BasicAuthorizerOptions): Authorizer {
  const { passwords } = options;
  const challenge = `Basic realm=${quoted(options.realm ?? "thimble registry")}`;
  return {
    async authorize(request) {
      const identity = await identify(request.authorization, passwords);
      if (identity.kind === "busy") {
        return { ok: false, status: 429, retryAfter: retryAfterSeconds };
      }
      if (identity.kind === "wrong") return { ok: false, status: 401, challenge };
      const { user } = identity;
      const rules = await options.rules();
      if (may(rules, user, request) && !(isPing(request) && passwords && user === undefined)) {
        return { ok: true, ...(user === undefined ? {} : { subject: user }) };
      }
      return user === undefined && passwords
        ? { ok: false, status: 401, challenge }
        : { ok: false, status: 403 };
    },
  };
}

type Identity =
  | { readonly kind: "known"; readonly user: string | undefined }
  | { readonly kind: "wrong" }
  | { readonly kind: "busy" };

/** The user who sends this header; without a header an anonymous one. */
export async function identify(
  header: string | undefined,
  passwords: PasswordFile | undefined,
): Promise<Identity> {
  const given = parseAuthorization(header);
  if (given.scheme === "none") return { kind: "known", user: undefined };
  if (given.scheme !== "basic" || !passwords) return { kind: "wrong" };
  try {
    const right = await passwords.verify(given.user, given.password);
    return right ? { kind: "known", user: given.user } : { kind: "wrong" };
  } catch (error) {
    if (isFault(error, "exhausted")) return { kind: "busy" };
    throw error;
  }
}

function isPing({ repository, actions }: Pick<AuthorizationRequest, "repository" | "actions">) {
  return repository === undefined && actions.length === 0;
}

/** Whether the rules give all that a request needs. */
export function may(
  rules: AccessRules,
  user: string | undefined,
  { repository, actions }: Pick<AuthorizationRequest, "repository" | "actions">,
): boolean {
  if (repository === undefined) {
    return actions.every((action) => action === "catalog" && rules.isAdmin(user));
  }
  const allowed = rules.allowed(user, repository);
  return actions.every((action) => action !== "catalog" && allowed.has(action));
}
