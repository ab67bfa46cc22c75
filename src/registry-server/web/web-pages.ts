import { faultOf, isFault } from "#base";
import { isDigest } from "#image";
import type { ExtraHandler, HandlerContext } from "../registry-server.ts";
import { type Html, html } from "./html.ts";
import { manifestPath, manifestView } from "./manifest-view.ts";
import { type Page, pageResponse } from "./page.ts";

const pageSize = 100;
/** Names that are looked at for one page, when most of them are not for this reader. */
const maxLooked = 2000;
const maxReferrers = 100;
const challenge = { "WWW-Authenticate": 'Basic realm="thimble registry", charset="UTF-8"' };

/**
 * Pages at / (and /ui) for people: repositories, their tags, the parts of a manifest. Rendered
 * here, without scripts; each reader sees the repositories that they may pull.
 */
export function createWebPages(): ExtraHandler {
  return {
    async handle(request, context) {
      const { pathname, searchParams } = context.url;
      if (pathname !== "/" && pathname !== "/ui" && pathname !== "/ui/" && pathname !== "/login")
        return undefined;
      if (request.method !== "GET" && request.method !== "HEAD") {
        return new Response("use GET\n", { status: 405, headers: { Allow: "GET, HEAD" } });
      }
      if (pathname === "/login") return await login(context);
      // First, and once: each look at a repository would check a wrong password anew.
      const isWrong = request.headers.has("authorization") && !(await isKnown(context));
      if (isWrong) return pageResponse(loginPage);
      const repository = searchParams.get("repository");
      const reference = searchParams.get("reference");
      const after = searchParams.get("after") ?? undefined;
      const page =
        repository === null
          ? await repositoriesPage(context, after)
          : await guarded(context, repository, () =>
              reference === null
                ? tagsPage(context, repository, after)
                : manifestPage(context, repository, reference),
            );
      return pageResponse(page);
    },
  };
}

const loginPage: Page = {
  title: "Log in",
  body: html`<p>The user or the password is wrong.</p>`,
  status: 401,
  headers: challenge,
};

/** Asks the browser for a user and password, which it sends from then on. */
async function login(context: HandlerContext): Promise<Response> {
  if (!(await isKnown(context))) return pageResponse(loginPage);
  return new Response(null, { status: 303, headers: { Location: "/" } });
}

async function isKnown(context: HandlerContext): Promise<boolean> {
  return (await context.authorize(undefined, [])).ok;
}

async function guarded(
  context: HandlerContext,
  repository: string,
  show: () => Promise<Page>,
): Promise<Page> {
  const missing: Page = {
    title: "Not found",
    body: html`<p>This page does not exist, or you may not see it.</p>`,
    status: 404,
  };
  try {
    const allowed = await context.authorize(repository, ["pull"]);
    return allowed.ok ? await show() : missing;
  } catch (error) {
    if (isFault(error, "not_found") || isFault(error, "invalid")) return missing;
    throw faultOf(error);
  }
}

async function repositoriesPage(context: HandlerContext, after?: string): Promise<Page> {
  const names: string[] = [];
  let last = after;
  let more = true;
  for (let looked = 0; more && names.length < pageSize && looked < maxLooked; ) {
    const found = await context.catalogue.repositories({
      limit: pageSize,
      ...(last === undefined ? {} : { after: last }),
    });
    more = found.length === pageSize;
    looked += found.length;
    for (const name of found) {
      last = name;
      if ((await context.authorize(name, ["pull"])).ok) names.push(name);
      if (names.length === pageSize) break;
    }
  }
  const list = names.map(
    (name) => html`<tr><td><a href="/?${query({ repository: name })}">${name}</a></td></tr>\n`,
  );
  return {
    title: "Repositories",
    body: html`${
      names.length === 0
        ? html`<p class="soft">Nothing is here that you may see. Push something: <code>docker push ${hostOf(context)}/NAME:TAG</code></p>`
        : html`<table>${list}</table>`
    }${more && last !== undefined ? next({ after: last }) : undefined}`,
  };
}

async function tagsPage(
  context: HandlerContext,
  repository: string,
  after?: string,
): Promise<Page> {
  const tags = await context.catalogue.tags(repository, {
    limit: pageSize,
    ...(after === undefined ? {} : { after }),
  });
  const last = tags.at(-1);
  return {
    title: repository,
    body: html`<p class="soft"><code>docker pull ${hostOf(context)}/${repository}:TAG</code></p>
<table><tr><th>Tag</th></tr>
${tags.map((tag) => html`<tr><td><a href="${manifestPath(repository, tag)}">${tag}</a></td></tr>\n`)}</table>${
      tags.length === pageSize && last !== undefined ? next({ repository, after: last }) : undefined
    }`,
  };
}

async function manifestPage(
  context: HandlerContext,
  repository: string,
  reference: string,
): Promise<Page> {
  const { catalogue } = context;
  const found = await catalogue.manifest(repository, reference);
  const referrers = await catalogue.referrers(repository, found.digest);
  const separator = isDigest(reference) ? "@" : ":";
  return {
    title: `${repository}${separator}${reference}`,
    body: html`<p><a href="/?${query({ repository })}">All tags of ${repository}</a></p>
<p class="soft"><code>docker pull ${hostOf(context)}/${repository}${separator}${reference}</code></p>
${manifestView({ ...found, repository, referrers: referrers.slice(0, maxReferrers) })}`,
  };
}

function query(fields: Record<string, string>): string {
  return new URLSearchParams(fields).toString();
}

function next(fields: Record<string, string>): Html {
  return html`<p><a href="/?${query(fields)}">More</a></p>`;
}

function hostOf({ origin }: HandlerContext): string {
  return new URL(origin).host;
}
