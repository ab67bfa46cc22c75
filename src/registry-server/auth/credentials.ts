/** The content of an Authorization header. */
export type Authorization =
  | { readonly scheme: "none" }
  | { readonly scheme: "basic"; readonly user: string; readonly password: string }
  | { readonly scheme: "bearer"; readonly token: string }
  | { readonly scheme: "other" };

const maxHeaderLength = 64 << 10;

/**
 * Reads an Authorization header (RFC 7617, RFC 6750). Empty basic credentials count as absent: some
 * clients send them when they have none.
 */
export function parseAuthorization(header: string | null | undefined): Authorization {
  if (header === null || header === undefined || header === "") return { scheme: "none" };
  if (header.length > maxHeaderLength) return { scheme: "other" };
  const [, scheme = "", rest = ""] = /^([A-Za-z]+) +(\S+)\s*$/.exec(header) ?? [];
  if (scheme.toLowerCase() === "bearer") return { scheme: "bearer", token: rest };
  if (scheme.toLowerCase() !== "basic") return { scheme: "other" };
  const text = Buffer.from(rest, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 0) return { scheme: "other" };
  const user = text.slice(0, colon);
  const password = text.slice(colon + 1);
  return user === "" && password === "" ? { scheme: "none" } : { scheme: "basic", user, password };
}

/** A text inside the double quotes of a challenge. */
export function quoted(text: string): string {
  return `"${text.replaceAll(/[\u0000-\u001f\u007f-\uffff]/g, "").replaceAll(/["\\]/g, "\\$&")}"`;
}
