/**
 * registry-server: an OCI registry (distribution-spec 1.1) over an `ObjectStore`.
 *
 * `serveRegistry` speaks HTTP; authorization, TLS, an upstream to cache, and what else
 * is served come in as ports (registry-server.ts), storage as an object-store.ts with
 * its suite contract.ts. On disk it is docker distribution's layout v2, so that either
 * can take over the other's directory. Words: blob (bytes by digest), link (a
 * repository has it), revision (a manifest by digest), tag, upload, lease (a client
 * was told that it exists), collect (remove what nothing refers to, while serving).
 * Life cycle: openDiskStore -> serveRegistry -> collect ... -> close. The code is
 * loaded when it is first called.
 */

import type { ObjectStore } from "./object-store.ts";
import type {
  CollectOptions,
  GcReport,
  RegistryServer,
  RegistryServerOptions,
} from "./registry-server.ts";
import type {
  RegistryService,
  RegistryServiceOptions,
  S3StoreOptions,
} from "./registry-service.ts";

export type * from "./object-store.ts";
export type * from "./registry-server.ts";
export type * from "./registry-service.ts";

/**
 * Listens, and answers from then on. `invalid` for a bad address or certificate, `unavailable` when
 * the port is taken.
 */
export async function serveRegistry(options: RegistryServerOptions): Promise<RegistryServer> {
  const { startServer } = await import("./start-server.ts");
  return await startServer(options);
}

/**
 * A directory as store, made when it is missing; docker-registry's `rootdirectory`. Removes the
 * half-written files of a crash.
 */
export async function openDiskStore(root: string): Promise<ObjectStore> {
  const { DiskStore } = await import("./disk-store.ts");
  return await DiskStore.open(root);
}

/**
 * Serves, with users, certificates, cache, metrics and pages as the options say, until it is
 * closed. A Fault names the option that is wrong.
 */
export async function openRegistryService(
  options: RegistryServiceOptions,
): Promise<RegistryService> {
  const { openService } = await import("./open-service.ts");
  return await openService(options);
}

/**
 * Collects a registry that no process serves (else `conflict`); `dryRun` removes nothing and
 * reports what would go.
 */
export async function collectRegistry(
  options: CollectOptions & {
    readonly root: string;
    readonly s3?: S3StoreOptions;
    readonly dryRun: boolean;
  },
): Promise<GcReport> {
  const { collectOffline } = await import("./open-service.ts");
  return await collectOffline(options);
}

/** A line of a password file. `invalid` for a name or password that it cannot hold. */
export async function createPasswordEntry(user: string, password: string): Promise<string> {
  const { passwordEntry } = await import("./auth/index.ts");
  return await passwordEntry(user, password);
}

/**
 * Serves what `render` gives at /metrics of an address of its own, for every client that reaches it.
 * `unavailable` when it is taken.
 */
export async function serveMetrics(
  render: () => string | Promise<string>,
  address: { readonly host: string; readonly port: number },
): Promise<{ readonly url: string } & AsyncDisposable> {
  const { serveMetrics: serve } = await import("./metrics/index.ts");
  return await serve(render, address);
}
