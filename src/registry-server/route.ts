import type { RegistryAction, RouteName } from "./registry-server.ts";

/** The object of a path below /v2/; names are not checked yet. */
export type Route =
  | { readonly kind: "base" }
  | { readonly kind: "catalog" }
  | { readonly kind: "tags"; readonly name: string }
  | { readonly kind: "manifest"; readonly name: string; readonly reference: string }
  | { readonly kind: "referrers"; readonly name: string; readonly digest: string }
  | { readonly kind: "blob"; readonly name: string; readonly digest: string }
  /** Without an id: where uploads begin. */
  | { readonly kind: "upload"; readonly name: string; readonly id: string | undefined };

/**
 * distribution-spec 1.1, "Endpoints"; undefined for any other path. Read from its end, since a name
 * has slashes.
 */
export function parseRoute(pathname: string): Route | undefined {
  if (pathname === "/v2" || pathname === "/v2/") return { kind: "base" };
  if (!pathname.startsWith("/v2/") || pathname.length > 4096) return undefined;
  const parts = pathname.slice("/v2/".length).split("/").map(decoded);
  if (parts.includes(undefined)) return undefined;
  const segments = parts as string[];
  if (segments.length === 1 && segments[0] === "_catalog") return { kind: "catalog" };
  const [third, second = "", last = ""] = segments.slice(-3);
  const name = segments.slice(0, -2).join("/");
  if (segments.length > 3 && third === "blobs" && second === "uploads") {
    const id = last === "" ? undefined : last;
    return { kind: "upload", name: segments.slice(0, -3).join("/"), id };
  }
  if (name === "" || last === "") return undefined;
  switch (second) {
    case "tags":
      return last === "list" ? { kind: "tags", name } : undefined;
    case "manifests":
      return { kind: "manifest", name, reference: last };
    case "referrers":
      return { kind: "referrers", name, digest: last };
    case "blobs":
      // "blobs/uploads" without the slash at its end, as some clients post to.
      if (last === "uploads") return { kind: "upload", name, id: undefined };
      return { kind: "blob", name, digest: last };
    default:
      return undefined;
  }
}

/** The rights that a client needs; undefined when the route does not know the method. */
export function neededActions(
  kind: Exclude<RouteName, "extra" | "other">,
  method: string,
  hasId: boolean,
): readonly RegistryAction[] | undefined {
  const isRead = method === "GET" || method === "HEAD";
  switch (kind) {
    case "base":
      return isRead ? [] : undefined;
    case "catalog":
      return isRead ? ["catalog"] : undefined;
    case "tags":
    case "referrers":
      return isRead ? ["pull"] : undefined;
    case "blob":
      if (method === "DELETE") return ["delete"];
      return isRead ? ["pull"] : undefined;
    case "manifest":
      if (method === "DELETE") return ["delete"];
      if (method === "PUT") return ["pull", "push"];
      return isRead ? ["pull"] : undefined;
    case "upload": {
      const knows = hasId ? isRead || /^(PATCH|PUT|DELETE)$/.test(method) : method === "POST";
      return knows ? ["pull", "push"] : undefined;
    }
  }
}

function decoded(segment: string): string | undefined {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
