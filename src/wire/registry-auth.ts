import { type Credentials, defined } from "#base";
import type { AuthConfig } from "./registry-types.ts";

/** The value of X-Registry-Auth: base64url of the JSON. */
export function encodeRegistryAuth(auth: AuthConfig): string {
  return Buffer.from(JSON.stringify(auth)).toString("base64url");
}

const maxHeader = 64 << 10;
const fields = ["username", "password", "serveraddress", "identitytoken", "registrytoken"] as const;

/**
 * Reads X-Registry-Auth, in both alphabets of base64. Undefined when it is missing or malformed:
 * Docker's engine then goes on without credentials.
 */
export function decodeRegistryAuth(text: string | undefined): AuthConfig | undefined {
  const value = decodeObject(text);
  return value && authOf(value);
}

/** Reads X-Registry-Config: credentials by registry. Undefined when it is missing or malformed. */
export function decodeRegistryConfig(
  text: string | undefined,
): ReadonlyMap<string, AuthConfig> | undefined {
  const value = decodeObject(text);
  if (!value) return undefined;
  const entries = Object.entries(value).flatMap(([host, each]) =>
    typeof each === "object" && each !== null
      ? [[host, authOf(each as Record<string, unknown>)] as const]
      : [],
  );
  return new Map(entries);
}

function decodeObject(text: string | undefined): Record<string, unknown> | undefined {
  if (!text || text.length > maxHeader) return undefined;
  try {
    // Both alphabets of base64 are understood.
    const value: unknown = JSON.parse(Buffer.from(text, "base64").toString());
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function authOf(value: Record<string, unknown>): AuthConfig {
  const known = fields.flatMap((name) => {
    const field = value[name];
    return typeof field === "string" && field !== "" ? [[name, field] as const] : [];
  });
  const { auth } = value;
  const pair = typeof auth === "string" ? Buffer.from(auth, "base64").toString() : "";
  const colon = pair.indexOf(":");
  return {
    ...(colon > 0 && { username: pair.slice(0, colon), password: pair.slice(colon + 1) }),
    ...Object.fromEntries(known),
  };
}

/** The same in thimble's spelling, without empty members; undefined when all are empty. */
export function credentialsOf(auth: AuthConfig): Credentials | undefined {
  const { username, password, identitytoken, registrytoken } = auth;
  const credentials = {
    ...defined({
      username: username || undefined,
      password: password || undefined,
      identityToken: identitytoken || undefined,
      registryToken: registrytoken || undefined,
    }),
  };
  return Object.keys(credentials).length > 0 ? credentials : undefined;
}
