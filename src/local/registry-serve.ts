import { join, resolve } from "node:path";
import { type CredentialSource, createLog, defined, Fault, formatBytes, type Log } from "#base";
import type { CollectedRegistry, ServedRegistry } from "#cli";
import { createRegistryClient, hostDirectories, openHostDirectory } from "#registry-client";
import {
  collectRegistry,
  type ExternalIssuer,
  openRegistryService,
  type RegistryService,
  type RegistryServiceOptions,
  type S3StoreOptions,
} from "#registry-server";
import { parseAddress } from "./address.ts";

/** The world that a registry is served in. */
export interface ServingContext {
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly configRoot: string;
  /** The user's own, for upstreams. */
  readonly credentials: CredentialSource;
}

/** Where a bucket is; its keys are in the environment. */
type BucketRequest = Pick<ServedRegistry, "s3" | "s3-endpoint" | "s3-region">;

interface Output {
  readonly out: { write(text: string): Promise<void> };
}

/** Serves until SIGTERM or SIGINT; gives the exit status. */
export async function registryServe(
  request: ServedRegistry,
  context: ServingContext & Output,
): Promise<number> {
  const log = createLog(request["log-level"] ?? "info");
  const stopped = untilSignal();
  const service = await openServedRegistry(request, context, log);
  try {
    await context.out.write(greeting(request, service));
    log.info("stopping", { signal: await stopped });
  } finally {
    await service.close();
  }
  return 0;
}

/** Opens a registry as the user describes it. Warns when every client that reaches it may write to it. */
export async function openServedRegistry(
  request: ServedRegistry,
  context: ServingContext,
  log: Log,
): Promise<RegistryService> {
  const options = serviceOptions(request, context, log);
  const { host } = options.address;
  const isOpen = !options.passwordFile && !options.accessFile && !options.issuer;
  if (isOpen && !isLoopback(host)) {
    log.warn(
      "every client that reaches this registry can push and delete; --htpasswd limits that to users",
      { host },
    );
  }
  return await openRegistryService(options);
}

function serviceOptions(
  request: ServedRegistry,
  context: ServingContext,
  log: Log,
): RegistryServiceOptions {
  const { htpasswd, access, token, proxy, metrics } = request;
  const { "token-service": tokenService = "thimble-registry" } = request;
  return {
    address: parseAddress(request.addr),
    root: resolve(request.root),
    version: context.version,
    log,
    web: request.web ?? true,
    hostNames: request["host-name"] ?? [],
    gc: defined({
      intervalSeconds: seconds(request["gc-interval"]),
      graceSeconds: seconds(request["gc-grace"]),
      deleteUntagged: request["delete-untagged"],
    }),
    ...defined({
      s3: bucketOf(request, context.env),
      passwordFile: htpasswd || undefined,
      accessFile: access || undefined,
      tokenService: token ? tokenService : undefined,
      issuer: issuerOf(request),
      tls: tlsOf(request),
      proxy: proxy?.length ? proxyOf(request, proxy, context, log) : undefined,
      metrics: metrics === undefined ? undefined : metricsOf(metrics),
    }),
  };
}

/** The seconds of a duration flag, whose value is in nanoseconds. */
function seconds(nanoseconds: number | undefined): number | undefined {
  return nanoseconds === undefined ? undefined : nanoseconds / 1e9;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}

function metricsOf(text: string) {
  return text === "shared" ? ("shared" as const) : parseAddress(text);
}

function tlsOf({
  "tls-cert": tlsCert,
  "tls-key": tlsKey,
  "tls-own": tlsOwn,
  "tls-name": tlsNames = [],
}: ServedRegistry): RegistryServiceOptions["tls"] {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new Fault("invalid", "--tls-cert and --tls-key belong together: give both");
  }
  if (tlsCert !== undefined && tlsKey !== undefined) {
    if (tlsOwn || tlsNames.length > 0) {
      throw new Fault("invalid", "give --tls-cert and --tls-key or --tls-own, not both");
    }
    return { certFile: tlsCert, keyFile: tlsKey };
  }
  if (!tlsOwn && tlsNames.length > 0) {
    throw new Fault("invalid", "--tls-name is a name for the certificate that --tls-own makes");
  }
  return tlsOwn ? { ownNames: tlsNames } : undefined;
}

function issuerOf(request: ServedRegistry): ExternalIssuer | undefined {
  const {
    "token-realm": realm,
    "token-issuer": issuer,
    "token-certs": rootCertBundle,
    "token-service": service,
  } = request;
  if (realm === undefined && issuer === undefined && rootCertBundle === undefined) return undefined;
  if (!realm || !issuer || !rootCertBundle || !service) {
    throw new Fault(
      "invalid",
      "tokens of another issuer need all of --token-realm, --token-issuer, --token-certs and --token-service",
    );
  }
  return { realm, issuer, rootCertBundle, service };
}

function proxyOf(
  request: ServedRegistry,
  upstreams: readonly string[],
  { configRoot, env, credentials }: ServingContext,
  log: Log,
): NonNullable<RegistryServiceOptions["proxy"]> {
  return {
    upstreams,
    tagSeconds: seconds(request["proxy-ttl"]) ?? 60,
    ...defined({ maxBytes: request["proxy-size"] }),
    client: ({ insecure }) =>
      createRegistryClient({
        hosts: openHostDirectory({ directories: hostDirectories(configRoot), insecure }),
        environment: env,
        log,
        // Clients wait meanwhile; they try again themselves, and kept blobs can serve.
        retries: { attempts: 2 },
        ...(request["proxy-login"] ? { credentials } : {}),
      }),
  };
}

function bucketOf(
  { s3, "s3-endpoint": s3Endpoint, "s3-region": s3Region }: BucketRequest,
  env: ServingContext["env"],
): S3StoreOptions | undefined {
  if (s3 === undefined) {
    if (s3Endpoint === undefined && s3Region === undefined) return undefined;
    throw new Fault("invalid", "--s3-endpoint and --s3-region are of the bucket that --s3 names");
  }
  const [bucket = "", ...prefix] = s3.replace(/^s3:\/\//, "").split("/");
  const accessKeyId = env.AWS_ACCESS_KEY_ID;
  const secretAccessKey = env.AWS_SECRET_ACCESS_KEY;
  if (!accessKeyId || !secretAccessKey) {
    throw new Fault(
      "invalid",
      "the keys of the bucket are missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    );
  }
  return {
    bucket,
    prefix: prefix.join("/"),
    endpoint: s3Endpoint,
    region: s3Region ?? env.AWS_REGION,
    credentials: { accessKeyId, secretAccessKey, sessionToken: env.AWS_SESSION_TOKEN },
  };
}

function greeting(request: ServedRegistry, service: RegistryService): string {
  const { url, metricsUrl, authorityFile } = service;
  const { host } = new URL(url);
  const place = request.s3 === undefined ? resolve(request.root) : `bucket ${request.s3}`;
  const lines = [`registry at ${url} (${place})`];
  if (metricsUrl !== undefined) lines.push(`metrics at ${metricsUrl}`);
  if (request.proxy?.length) lines.push(`cache of ${request.proxy.join(", ")}`);
  if (authorityFile !== undefined) {
    lines.push(
      `its certificate is by an authority of its own, ${authorityFile}; to trust it, on each client:`,
      `  Docker, thimble   cp ${authorityFile} ${join("/etc/docker/certs.d", host, "ca.crt")}`,
      `  Podman, skopeo    cp ${authorityFile} ${join("/etc/containers/certs.d", host, "ca.crt")}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

/** `registry gc`: collects a registry that no process serves. */
export async function registryCollect(
  request: CollectedRegistry,
  { env, out }: Output & Pick<ServingContext, "env">,
): Promise<number> {
  const dryRun = request["dry-run"];
  const s3 = bucketOf(request, env);
  const report = await collectRegistry({
    root: resolve(request.root),
    dryRun,
    deleteUntagged: request["delete-untagged"],
    graceSeconds: seconds(request["gc-grace"]) ?? 3600,
    ...defined({ s3 }),
  });
  if (request.json) await out.write(`${JSON.stringify(report, null, 2)}\n`);
  else {
    const { blobs, bytes, links, manifests, uploads, kept } = report;
    const verb = dryRun ? "would remove" : "removed";
    await out.write(
      `${verb} ${blobs} blobs (${formatBytes(bytes)}), ${manifests} manifests, ${links} links, ${uploads} abandoned uploads; ${kept.blobs} blobs and ${kept.manifests} manifests stay\n`,
    );
  }
  return 0;
}

function untilSignal(): Promise<string> {
  return new Promise((done) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => done(signal));
  });
}
