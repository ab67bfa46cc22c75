import { type Digest, mediaTypes } from "#image";
import { type Exchange, type RegistryParts, requireDigestText } from "./exchange.ts";
import type { RepositoryName } from "./layout.ts";
import { RegistryError } from "./registry-error.ts";
import type { ReferrerDescriptor } from "./registry-server.ts";

const maxTags = 10_000;
const maxNames = 1_000;
const maxReferrers = 1_000;
/** distribution-spec 1.1, "Listing Referrers": the answer is a manifest, and is limited as one. */
const maxReferrerBytes = 4_000_000;

/** GET /v2/NAME/tags/list (OCI distribution specification, "Listing Tags"). */
export async function listTags(
  parts: RegistryParts,
  exchange: Exchange,
  name: RepositoryName,
): Promise<Response> {
  const { count, last } = paging(exchange.url, maxTags);
  const page = await firstOf(parts.repositories.tags(name, last), count);
  if (page.items.length === 0 && !(await parts.repositories.exists(name))) {
    throw new RegistryError("NAME_UNKNOWN", "there is no such repository", { detail: { name } });
  }
  return json(
    { name, tags: page.items },
    link(exchange.url, page.hasMore && { n: String(count), last: page.items.at(-1) ?? "" }),
  );
}

/** GET /v2/_catalog, as docker-registry has it; the OCI specification has no such list. */
export async function listRepositories(
  parts: RegistryParts,
  exchange: Exchange,
): Promise<Response> {
  const { count, last } = paging(exchange.url, maxNames);
  const page = await firstOf(parts.repositories.repositories(last), count);
  return json(
    { repositories: page.items },
    link(exchange.url, page.hasMore && { n: String(count), last: page.items.at(-1) ?? "" }),
  );
}

/**
 * GET /v2/NAME/referrers/DIGEST (OCI distribution specification, "Listing Referrers"), in pages of
 * at most 4 MB.
 */
export async function listReferrers(
  parts: RegistryParts,
  exchange: Exchange,
  target: { readonly name: RepositoryName; readonly digest: Digest },
): Promise<Response> {
  const query = exchange.url.searchParams;
  const type = query.get("artifactType");
  const last = query.get("last");
  const after = last === null ? undefined : requireDigestText(last);
  const manifests: ReferrerDescriptor[] = [];
  let bytes = 0;
  let seen: Digest | undefined;
  let hasMore = false;
  for await (const each of parts.repositories.referrers(target.name, target.digest, after)) {
    if (type !== null && each.artifactType !== type) continue;
    const length = Buffer.byteLength(JSON.stringify(each));
    if (manifests.length === maxReferrers || bytes + length > maxReferrerBytes) {
      // One that alone exceeds an answer is left out of all.
      if (manifests.length === 0) continue;
      hasMore = true;
      break;
    }
    manifests.push(each);
    bytes += length;
    seen = each.digest;
  }
  const next = { ...(type === null ? {} : { artifactType: type }), last: seen ?? "" };
  return json(
    { schemaVersion: 2, mediaType: mediaTypes.index, manifests },
    {
      "Content-Type": mediaTypes.index,
      ...(type === null ? {} : { "OCI-Filters-Applied": "artifactType" }),
      ...link(exchange.url, hasMore && next),
    },
  );
}

/** distribution-spec 1.1, "Listing Tags": n and last. */
function paging(url: URL, limit: number): { readonly count: number; readonly last: string } {
  const text = url.searchParams.get("n");
  if (text !== null && !/^\d{1,9}$/.test(text)) {
    throw new RegistryError("PAGINATION_NUMBER_INVALID", "n must be a number of at least 0", {
      detail: { n: text.slice(0, 100) },
    });
  }
  const count = text === null ? limit : Math.min(Number(text), limit);
  return { count, last: (url.searchParams.get("last") ?? "").slice(0, 300) };
}

/**
 * The first items of a list, and whether there are more; no more than one further item is pulled.
 */
export async function firstOf<T>(
  source: AsyncIterable<T>,
  count: number,
): Promise<{ readonly items: readonly T[]; readonly hasMore: boolean }> {
  const items: T[] = [];
  if (count === 0) return { items, hasMore: false };
  for await (const each of source) {
    if (items.length === count) return { items, hasMore: true };
    items.push(each);
  }
  return { items, hasMore: false };
}

/** RFC 8288; relative, since the client knows best how it came here. */
function link(url: URL, query: Readonly<Record<string, string>> | false): Record<string, string> {
  if (!query) return {};
  return { Link: `<${url.pathname}?${new URLSearchParams(query)}>; rel="next"` };
}

function json(value: unknown, headers: Readonly<Record<string, string>>): Response {
  return new Response(`${JSON.stringify(value)}\n`, {
    headers: { "Content-Type": "application/json", ...headers },
  });
}
