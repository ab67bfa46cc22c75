import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, Fault, isFault, type Log, Scope, silentLog, systemClock } from "#base";
import { lockFile } from "#kernel";
import { openAuthorization } from "./auth/index.ts";
import { Collector } from "./collector.ts";
import { DiskStore } from "./disk-store.ts";
import { Leases } from "./leases.ts";
import {
  createMetrics,
  createMetricsHandler,
  type RegistryMetrics,
  serveMetrics,
} from "./metrics/index.ts";
import type { ObjectStore } from "./object-store.ts";
import type {
  CollectOptions,
  ExtraHandler,
  GcReport,
  RegistryServerOptions,
  Upstream,
} from "./registry-server.ts";
import type { ProxyOptions, RegistryService, RegistryServiceOptions } from "./registry-service.ts";
import { Repositories } from "./repositories.ts";
import type { S3StoreOptions } from "./s3/index.ts";
import { startServer } from "./start-server.ts";
import { Uploads } from "./uploads.ts";

/** The registry's own files below its root, which are not objects. */
const ownPath = (root: string, ...names: string[]) => join(root, "thimble", ...names);

/** `openRegistryService`, loaded. Everything that was opened is closed again when a later step fails. */
export async function openService(options: RegistryServiceOptions): Promise<RegistryService> {
  await using scope = new Scope();
  const { log } = options;
  await claimRoot(options.root, scope);
  const metrics = createMetrics(options.version);
  const authorization = await openAuthorization({
    log,
    ...(options.passwordFile ? { passwordFile: options.passwordFile } : {}),
    ...(options.accessFile ? { accessFile: options.accessFile } : {}),
    ...(options.issuer ? { issuer: options.issuer } : {}),
    ...(options.tokenService
      ? { token: { keyFile: ownPath(options.root, "token.key"), service: options.tokenService } }
      : {}),
  });
  const certificate = await openCertificate(options);
  const store = await openStore(options, metrics);
  const server = await startServer({
    address: options.address,
    store,
    log,
    hostNames: options.hostNames ?? [],
    handlers: [...authorization.handlers, ...(await extraHandlers(options, metrics))],
    ...(authorization.authorizer ? { authorizer: authorization.authorizer } : {}),
    ...(certificate ? { tls: certificate } : {}),
    ...(options.proxy ? { upstream: await openUpstream(options.proxy, metrics) } : {}),
    observe: metrics.observe,
    ...(options.gc ? { gc: withoutInterval(options.gc) } : {}),
  });
  scope.defer(() => server.close());
  const collect = async (asked?: CollectOptions) => {
    const report = await server.collect(asked);
    metrics.collected(report);
    return report;
  };
  collectRegularly({ seconds: options.gc?.intervalSeconds ?? 0, collect, log, scope });
  const metricsUrl = await serveOwnMetrics(options, metrics, scope);
  const { authorityFile } = certificate ?? {};
  const resources = scope.release();
  const close = () => resources.disposeAsync();
  return {
    url: server.url,
    ...(metricsUrl === undefined ? {} : { metricsUrl }),
    renderMetrics: metrics.render,
    ...(authorityFile === undefined ? {} : { authorityFile }),
    collect,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * A store belongs to one server at a time, since the leases that protect its objects are in that
 * server's memory.
 */
async function claimRoot(root: string, scope: Scope): Promise<void> {
  const file = ownPath(root, "lock");
  try {
    await mkdir(ownPath(root), { recursive: true, mode: 0o700 });
    scope.use(lockFile(file));
  } catch (cause) {
    if (isFault(cause, "conflict")) {
      throw new Fault(
        "conflict",
        `another registry serves ${root}: stop it first, or give another directory with --root`,
        { about: root, cause },
      );
    }
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault(
      "unavailable",
      `cannot keep a registry in ${root}: ${why}; give a directory that can be written with --root`,
      { about: root, cause },
    );
  }
}

async function openCertificate({ tls, root, address }: RegistryServiceOptions) {
  if (!tls) return undefined;
  const { openOwnCertificate } = await import("./tls/index.ts");
  const { namesFor, readCertificate } = await import("#certificate");
  if ("certFile" in tls) {
    return { ...(await readCertificate(tls.certFile, tls.keyFile)), authorityFile: undefined };
  }
  return await openOwnCertificate({
    directory: ownPath(root, "tls"),
    names: [...tls.ownNames, ...namesFor(address.host)],
  });
}

async function openStore(
  { root, s3, proxy, log }: RegistryServiceOptions,
  metrics: RegistryMetrics,
): Promise<ObjectStore> {
  const store = await openObjects(root, s3);
  if (proxy?.maxBytes === undefined) return store;
  const { BoundedStore } = await import("./proxy/index.ts");
  return await BoundedStore.open({
    store,
    maxBytes: proxy.maxBytes,
    log,
    onEvicted: metrics.evicted,
  });
}

async function openObjects(root: string, s3: S3StoreOptions | undefined): Promise<ObjectStore> {
  if (!s3) return await DiskStore.open(root);
  const { openS3Store } = await import("./s3/index.ts");
  return await openS3Store(s3);
}

async function extraHandlers(
  { metrics: place, web }: RegistryServiceOptions,
  metrics: RegistryMetrics,
): Promise<ExtraHandler[]> {
  const handlers: ExtraHandler[] = [];
  if (place === "shared") handlers.push(createMetricsHandler(metrics));
  if (web) handlers.push((await import("./web/index.ts")).createWebPages());
  return handlers;
}

async function openUpstream(proxy: ProxyOptions, metrics: RegistryMetrics): Promise<Upstream> {
  const { createUpstream, parseUpstream } = await import("./proxy/index.ts");
  const routes = proxy.upstreams.map(parseUpstream);
  const insecure = routes.filter(({ isPlain }) => isPlain).map(({ host }) => host);
  return createUpstream({
    routes,
    client: proxy.client({ insecure }),
    tagSeconds: proxy.tagSeconds,
    watch: metrics.fetched,
  });
}

/** The server's own timer would not tell the metrics. */
function withoutInterval(gc: NonNullable<RegistryServerOptions["gc"]>) {
  return { ...gc, intervalSeconds: 0 };
}

function collectRegularly(options: {
  readonly seconds: number;
  readonly collect: () => Promise<GcReport>;
  readonly log: Log;
  readonly scope: Scope;
}): void {
  if (options.seconds <= 0) return;
  const timer = setInterval(() => {
    options.collect().catch((error) => options.log.error("collecting failed", { error }));
  }, options.seconds * 1000);
  options.scope.defer(() => clearInterval(timer));
}

async function serveOwnMetrics(
  { metrics: place, hostNames }: RegistryServiceOptions,
  metrics: RegistryMetrics,
  scope: Scope,
): Promise<string | undefined> {
  if (!place || place === "shared") return undefined;
  return scope.use(await serveMetrics(metrics.render, place, hostNames)).url;
}

/** `collectRegistry`, loaded. */
export async function collectOffline(
  options: CollectOptions & {
    readonly root: string;
    readonly s3?: S3StoreOptions;
    readonly dryRun: boolean;
    readonly clock?: Clock;
  },
): Promise<GcReport> {
  await using scope = new Scope();
  await claimRoot(options.root, scope);
  const { clock = systemClock } = options;
  const found = await openObjects(options.root, options.s3);
  const store = options.dryRun ? unchanged(found) : found;
  const leases = new Leases(() => Number(clock.now() / 1_000_000n), 0);
  const repositories = new Repositories(store, leases);
  const limits = { blobBytes: 0, activeUploads: 0 };
  const uploads = new Uploads({ store, repositories, clock, limits });
  const collector = new Collector({ store, leases, repositories, uploads, clock, log: silentLog });
  return await collector.collect(options);
}

/** A store that is only looked at. */
function unchanged(store: ObjectStore): ObjectStore {
  const nothing = async () => undefined;
  return {
    stat: (key) => store.stat(key),
    get: (key, limit) => store.get(key, limit),
    read: (key, range) => store.read(key, range),
    list: (directory, options) => store.list(directory, options),
    walk: (directory) => store.walk(directory),
    writer: (key) => store.writer(key),
    write: nothing,
    move: nothing,
    delete: nothing,
  };
}
