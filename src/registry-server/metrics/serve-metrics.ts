import { Fault } from "#base";
import type { Authorization, ExtraHandler } from "../registry-server.ts";
import { hostCheck } from "../served-host.ts";
import type { RegistryMetrics } from "./registry-metrics.ts";

const headers = { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" };

/** /metrics of the registry itself, for users who may see the catalogue. */
export function createMetricsHandler(metrics: RegistryMetrics): ExtraHandler {
  return {
    async handle(request, { url, authorize }) {
      if (url.pathname !== "/metrics") return undefined;
      if (request.method !== "GET" && request.method !== "HEAD") return notAllowed();
      const asked = await authorize(undefined, ["catalog"]);
      return asked.ok ? new Response(metrics.render(), { headers }) : refusal(asked);
    },
  };
}

function notAllowed(): Response {
  return new Response("use GET\n", { status: 405, headers: { Allow: "GET, HEAD" } });
}

/** Prometheus sends basic credentials, whatever the clients of the registry do. */
function refusal({ status, retryAfter }: Extract<Authorization, { ok: false }>): Response {
  return new Response("only users who may list all repositories can read the metrics\n", {
    status,
    headers: {
      ...(status === 401 ? { "WWW-Authenticate": 'Basic realm="thimble registry"' } : {}),
      ...(retryAfter === undefined ? {} : { "Retry-After": String(retryAfter) }),
    },
  });
}

interface MetricsServer extends AsyncDisposable {
  readonly url: string;
}

/** /metrics on an address of its own, for every client that reaches it. `unavailable` when it is taken. */
export async function serveMetrics(
  render: () => string | Promise<string>,
  address: { readonly host: string; readonly port: number },
  hostNames: readonly string[] = [],
): Promise<MetricsServer> {
  const { host, port } = address;
  const isOwnHost = await hostCheck({ host, isTls: false, names: hostNames });
  try {
    const server = Bun.serve({
      hostname: host,
      port,
      async fetch(request) {
        if (!isOwnHost(request.headers.get("host")))
          return new Response("this server does not know the name in the Host header\n", {
            status: 403,
          });
        if (new URL(request.url).pathname !== "/metrics")
          return new Response("see /metrics\n", { status: 404 });
        if (request.method !== "GET" && request.method !== "HEAD") return notAllowed();
        return new Response(await render(), { headers });
      },
    });
    return {
      url: `http://${host.includes(":") ? `[${host}]` : host}:${server.port}/metrics`,
      [Symbol.asyncDispose]: () => server.stop(true),
    };
  } catch (cause) {
    throw new Fault(
      "unavailable",
      `cannot serve metrics on ${host}:${port}: ${cause instanceof Error ? cause.message : cause}; choose another address`,
      { about: `${host}:${port}`, cause },
    );
  }
}
