import { collect } from "#base";
import { maxDocumentBytes, parseJson } from "#image";
import type { EndpointSession } from "./endpoint-session.ts";
import type { SearchResult } from "./registry-client.ts";
import { hasStatus } from "./response-fault.ts";

/**
 * The search of Docker's first API, which Docker Hub still has; undefined for a registry without
 * it.
 */
export async function searchIndex(
  session: EndpointSession,
  query: { host: string; term: string; limit: number; signal?: AbortSignal | undefined },
): Promise<SearchResult[] | undefined> {
  const path = `/v1/search?${new URLSearchParams({ q: query.term, n: String(query.limit) })}`;
  const target =
    query.host === "docker.io" ? new URL(path, "https://index.docker.io") : { fromHost: path };
  try {
    const answer = await session.call({
      action: `search for "${query.term}"`,
      method: "GET",
      target,
      headers: [["Accept", "application/json"]],
      expect: [200],
      signal: query.signal,
    });
    const type = answer.headers.get("content-type") ?? "";
    if (!/json/i.test(type)) {
      await answer.discard();
      return undefined;
    }
    const about = `the search of ${query.host}`;
    const bytes = await collect(answer.body, maxDocumentBytes, about);
    return parseJson(about, bytes)
      .at("results")
      .list(1000, (each) => ({
        name: each.at("name").string(255),
        description: each.at("description").optional((c) => c.string()) ?? "",
        starCount: each.at("star_count").optional((c) => c.size()) ?? 0,
        isOfficial: each.at("is_official").optional((c) => c.boolean()) ?? false,
        isAutomated: each.at("is_automated").optional((c) => c.boolean()) ?? false,
      }))
      .slice(0, query.limit);
  } catch (error) {
    if (hasStatus(error, 400, 404, 405, 501)) return undefined;
    throw error;
  }
}
