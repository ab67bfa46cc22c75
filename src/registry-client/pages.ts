import { collect, Fault } from "#base";
import { type JsonCursor, maxDocumentBytes, parseJson } from "#image";
import type { Answer, Call, EndpointSession } from "./endpoint-session.ts";
import { isWebPage, webPageFault } from "./response-fault.ts";

const maxPages = 10_000;

export interface Page {
  readonly document: JsonCursor;
  readonly answer: Answer;
}

/**
 * The pages of a listing, following Link (RFC 8288, rel="next") on the same host; each at
 * most 4 MiB. A chain that comes back to an earlier page is refused.
 */
export async function* listPages(
  session: EndpointSession,
  first: Omit<Call, "method" | "expect">,
): AsyncGenerator<Page> {
  const seen = new Set<string>();
  let target: Call["target"] = first.target;
  for (let pages = 0; pages < maxPages; pages++) {
    const call = { ...first, target, method: "GET", expect: [200] };
    const answer = await session.call(call);
    const attempt = { action: call.action, host: answer.url.host };
    const bytes = await collect(answer.body, maxDocumentBytes, `an answer of ${attempt.host}`);
    if (isWebPage(answer, bytes)) throw webPageFault(attempt);
    yield { document: parseJson(`the answer of ${attempt.host}`, bytes), answer };
    const next = nextPage(answer);
    if (!next) return;
    if (seen.has(next.href)) {
      throw new Fault(
        "invalid",
        `cannot ${call.action}: the pages of ${attempt.host} go in circles`,
      );
    }
    seen.add(next.href);
    target = next;
  }
  throw new Fault("exhausted", `cannot ${first.action}: there are more than ${maxPages} pages`);
}

function nextPage(answer: Answer): URL | undefined {
  const links = answer.headers.get("link") ?? "";
  for (const [, target = "", parameters = ""] of links.matchAll(/<([^<>]*)>([^<]*)/g)) {
    if (!/;\s*rel\s*=\s*"?next"?\s*(;|,|$)/i.test(parameters)) continue;
    if (!URL.canParse(target, answer.url.href)) return undefined;
    const url = new URL(target, answer.url.href);
    if (url.host === answer.url.host) {
      // Behind a proxy a registry may believe that it is spoken to in plain http.
      url.protocol = answer.url.protocol;
      return url;
    }
    throw new Fault("denied", `${answer.url.host} continues its list at another host, ${url.host}`);
  }
  return undefined;
}
