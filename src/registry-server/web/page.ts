import { createHash } from "node:crypto";
import { type Html, html } from "./html.ts";

const style = `:root{color-scheme:light dark;--line:light-dark(#ddd,#444);--soft:light-dark(#666,#aaa)}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem}
header{display:flex;justify-content:space-between;border-bottom:1px solid var(--line);margin-bottom:1rem}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:1.6rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600;color:var(--soft);white-space:nowrap}
td.number,th.number{text-align:right;white-space:nowrap}
code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
a{color:light-dark(#06c,#8bf)}.soft{color:var(--soft)}`;

const styleHash = createHash("sha256").update(style).digest("base64");

/** Nothing is loaded, run, framed or sent anywhere; the one style is named by its hash. */
const headers = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy": `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'`,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
};

export interface Page {
  readonly title: string;
  readonly body: Html;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A whole page with the headers that keep it harmless. */
export function pageResponse(page: Page): Response {
  const document = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${page.title}</title>`.text;
  const body =
    html`</head><body><header><p><a href="/">Registry</a></p><p><a href="/login">Log in</a></p></header>
<h1>${page.title}</h1>
${page.body}
</body></html>
`.text;
  return new Response(`${document}<style>${style}</style>${body}`, {
    status: page.status ?? 200,
    headers: { ...headers, ...page.headers },
  });
}
