import { Fault, silentLog, systemClock } from "#base";
import { createCatalogue } from "./catalogue.ts";
import { Collector } from "./collector.ts";
import type { RegistryParts } from "./exchange.ts";
import { Leases } from "./leases.ts";
import { PullThrough } from "./pull-through.ts";
import { RegistryApp } from "./registry-app.ts";
import { RegistryError } from "./registry-error.ts";
import type { RegistryServer, RegistryServerOptions, ServerLimits } from "./registry-server.ts";
import { Repositories } from "./repositories.ts";
import { hostCheck } from "./served-host.ts";
import { Uploads } from "./uploads.ts";

const defaults: ServerLimits = { blobBytes: 2 ** 40, idleSeconds: 60, activeUploads: 256 };
const defaultGraceSeconds = 3600;

/** `serveRegistry`, loaded. */
export async function startServer(options: RegistryServerOptions): Promise<RegistryServer> {
  const log = options.log ?? silentLog;
  const clock = options.clock ?? systemClock;
  const limits = { ...defaults, ...options.limits };
  const { store, gc = {} } = options;
  const graceSeconds = gc.graceSeconds ?? defaultGraceSeconds;
  const leases = new Leases(() => Number(clock.now() / 1_000_000n), graceSeconds * 1000);
  const repositories = new Repositories(store, leases);
  const uploads = new Uploads({ store, repositories, clock, limits });
  const { upstream } = options;
  const pullThrough =
    upstream && new PullThrough({ store, upstream, repositories, uploads, clock, log });
  const parts: RegistryParts = { store, repositories, uploads, pullThrough, log };
  const catalogue = createCatalogue(parts);
  const collector = new Collector({ store, leases, repositories, uploads, clock, log });
  const isOwnHost = await hostCheck({
    host: options.address.host,
    isTls: options.tls !== undefined,
    names: options.hostNames ?? [],
  });
  let origin = "";
  const app = new RegistryApp({
    ...parts,
    catalogue,
    authorizer: options.authorizer,
    handlers: options.handlers,
    observe: options.observe,
    origin: () => origin,
    isOwnHost,
  });
  const server = listen(options, limits, app);
  const { host } = options.address;
  const named = host.includes(":") ? `[${host}]` : host;
  origin = `${options.tls ? "https" : "http"}://${named}:${server.port}`;

  const collect: RegistryServer["collect"] = (asked) => collector.collect({ ...gc, ...asked });
  const every = gc.intervalSeconds ?? 0;
  const timer =
    every > 0
      ? setInterval(() => {
          collect().catch((error) => log.error("collecting failed", { error }));
        }, every * 1000)
      : undefined;
  timer?.unref();

  const close = async ({ seconds = 5 }: { readonly seconds?: number } = {}) => {
    clearInterval(timer);
    const ended = server.stop(false);
    await Promise.race([ended, Bun.sleep(seconds * 1000)]);
    await server.stop(true);
  };
  return {
    url: origin,
    catalogue,
    collect,
    close,
    [Symbol.asyncDispose]: () => close({ seconds: 0 }),
  };
}

const addressFaults: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; choose another port",
  EACCES: "this user may not listen there; choose a port above 1023",
  EADDRNOTAVAIL:
    "this machine does not have that address; choose one of its own, or 0.0.0.0 for all",
};

function listen(options: RegistryServerOptions, limits: ServerLimits, app: RegistryApp) {
  const { host, port } = options.address;
  try {
    return Bun.serve({
      hostname: host,
      port,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      development: false,
      // Otherwise a second server shares the port without a word.
      reusePort: false,
      idleTimeout: Math.min(255, limits.idleSeconds),
      // Blobs and documents have their own limits, which are told in a registry's words.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request, server) => app.handle(request, server.requestIP(request)?.address ?? ""),
      error: () => new RegistryError("UNKNOWN", "the registry failed; its log says why").response(),
    });
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message?: string };
    const reason = addressFaults[code ?? ""];
    throw new Fault(
      reason === undefined ? "invalid" : "unavailable",
      `cannot serve a registry at ${host}:${port}: ${reason ?? `${message ?? code}; choose another address or certificate`}`,
      { about: `${host}:${port}`, cause: error },
    );
  }
}
