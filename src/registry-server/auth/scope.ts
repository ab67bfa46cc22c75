import { Fault } from "#base";
import type { AccessRules, RegistryAction } from "./access-rules.ts";

/** The rights of a token, as the "access" claim has them (distribution's spec/auth/jwt.md). */
export interface ResourceAccess {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

const maxScopes = 100;
const maxScopeLength = 1024;

/**
 * Scopes of a token request ("repository:team/app:pull,push", "registry:catalog:*"); each text may
 * hold several with blanks between (distribution's spec/auth/scope.md). `invalid` for any other
 * text.
 */
export function parseScopes(texts: readonly string[]): ResourceAccess[] {
  const words = texts.flatMap((text) => text.split(" ")).filter((word) => word !== "");
  if (words.length > maxScopes) {
    throw new Fault("invalid", `more than ${maxScopes} scopes are asked for at once`);
  }
  return words.map((word) => {
    const shown = word.slice(0, 200);
    // A name may hold a port, so the first and the last colon count.
    const first = word.indexOf(":");
    const last = word.lastIndexOf(":");
    if (word.length > maxScopeLength || first <= 0 || last <= first + 1) {
      throw new Fault(
        "invalid",
        `"${shown}" is not a scope, as "repository:team/app:pull,push" is`,
        {
          about: shown,
        },
      );
    }
    return {
      type: word.slice(0, first).replace(/\([a-z0-9]+\)$/, ""),
      name: word.slice(first + 1, last),
      actions: [...new Set(word.slice(last + 1).split(","))].filter((action) => action !== ""),
    };
  });
}

/**
 * The part of a request that the rules allow; an entry that is left empty stays, as the
 * specification wants it.
 */
export function grant(
  rules: AccessRules,
  user: string | undefined,
  asked: readonly ResourceAccess[],
): ResourceAccess[] {
  return asked.map((resource) => {
    if (resource.type === "registry" && resource.name === "catalog") {
      return { ...resource, actions: rules.isAdmin(user) ? resource.actions : [] };
    }
    if (resource.type !== "repository") return { ...resource, actions: [] };
    const allowed = rules.allowed(user, resource.name);
    const all: readonly RegistryAction[] = ["pull", "push", "delete"];
    const wanted = resource.actions.includes("*") ? [...all, "*"] : resource.actions;
    return {
      ...resource,
      actions: wanted.filter((action) =>
        action === "*"
          ? all.every((each) => allowed.has(each))
          : allowed.has(action as RegistryAction),
      ),
    };
  });
}

/** The "scope" of a challenge: the needed rights, in the words of a token request. */
export function scopeText(resource: ResourceAccess): string {
  return `${resource.type}:${resource.name}:${resource.actions.join(",")}`;
}
