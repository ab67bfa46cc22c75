import { rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { checkAuthorization, createApiServer, type ListenAddress, type OpenListener } from "#api";
import { createLog, defined, Fault, faultOf, type Log, Scope } from "#base";
import type { DaemonOptions } from "#cli";
import type { Engine } from "#engine";
import { decodePlan } from "#helper";
import { makePrivateDirectory, peerCredentials, untakenByPeer } from "#kernel";
import { parseCompression } from "#layer";
import { Plugins } from "#plugin";
import { describePlan } from "#runtime";
import type { State } from "#state";
import { openTrust } from "#trust";
import { openBuildKit } from "./buildkit.ts";
import { checkStart, lockRoot, makeRoot, refuseDockerRoot } from "./check-start.ts";
import { listenAddresses, tlsSettings } from "./listen-addresses.ts";
import { lowerOomScore } from "./lower-oom-score.ts";
import { useEmbeddedAddon } from "./native-parts.ts";
import { openEngine } from "./open-engine.ts";
import { releaseMemoryWhenQuiet } from "./quiet-memory.ts";
import { registryOpener } from "./registry.ts";
import { type Roots, roots } from "./roots.ts";
import { type DaemonSettings, daemonSettings } from "./settings/daemon-settings.ts";
import { version } from "./version.ts";

/** Runs the engine until SIGTERM or SIGINT; containers go on after it. Gives the exit status. */
export async function runDaemon(flags: DaemonOptions): Promise<number> {
  // As dockerd's: modes in images and containers do not depend on the shell that starts the engine.
  process.umask(0o022);
  const file = configFile(flags);
  let logging: DaemonSettings["logging"] = {
    level: flags.logLevel ?? "info",
    format: flags.logFormat ?? "text",
  };
  const log = createLog(() => logging);
  let serves = false;
  try {
    const settings = await daemonSettings(flags, file);
    logging = settings.logging;
    const served = await prepare(settings.options);
    if (flags.validate) {
      process.stdout.write("configuration OK\n");
      return 0;
    }
    await using scope = new Scope();
    const plugins = new Plugins();
    await checkPlugins(plugins, settings);
    const { engine, listeners } = await serve(settings, served, { log, scope, plugins });
    serves = true;
    const reread = async () => {
      const next = await daemonSettings(flags, file);
      await checkPlugins(plugins, next);
      const tls = await tlsSettings({ ...next.options, configRoot: served.places.configRoot });
      if (tls) for (const listener of listeners) listener.renew(tls);
      engine.reload(next.engine);
      logging = next.logging;
      log.info("the configuration was read again", { file });
    };
    const signal = await untilSignal(() => {
      reread().catch((error) => log.error("the configuration stays as it was", { error }));
    });
    log.info("stopping; containers go on", { signal });
    return 0;
  } catch (error) {
    const { message } = faultOf(error);
    if (serves) log.error(message);
    else process.stderr.write(`cannot start the engine: ${message}\n`);
    return 1;
  }
}

function configFile({ configRoot, configFile: named }: DaemonOptions): string {
  return named ?? join(roots(process.env, { configRoot }).configRoot, "daemon.json");
}

/** A name without its plugin would have every request refused. */
async function checkPlugins(plugins: Plugins, { engine }: DaemonSettings): Promise<void> {
  for (const name of engine.authorizationPlugins)
    await checkAuthorization(plugins, name).catch((cause) => {
      const { code, message } = faultOf(cause);
      throw new Fault(code, `failed to validate authorization plugin: ${message}`, {
        about: name,
        cause,
      });
    });
}

interface Served {
  readonly places: Roots;
  readonly hosts: readonly string[];
  readonly addresses: readonly ListenAddress[];
}

/** Judges what can be judged before anything is made. */
async function prepare(options: DaemonOptions): Promise<Served> {
  const places = roots(process.env, options);
  const { hosts = [`unix://${join(places.runRoot, "thimble.sock")}`] } = options;
  const { configRoot } = places;
  const addresses = await listenAddresses({ ...options, hosts, configRoot, env: process.env });
  if (options.layerCompression) parseCompression(options.layerCompression);
  refuseDockerRoot(places.dataRoot);
  return { places, hosts, addresses };
}

interface Serving {
  readonly engine: Engine;
  readonly listeners: readonly OpenListener[];
}

/** Opens the engine and listens. */
async function serve(
  { options, engine: settings, network }: DaemonSettings,
  { places, hosts, addresses }: Served,
  { log, scope, plugins }: Pick<Beside, "log" | "scope"> & { readonly plugins: Plugins },
): Promise<Serving> {
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete process.env[name];
  await checkStart(addresses.flatMap((each) => (each.kind === "unix" ? [each.path] : [])));
  await claimRoots(places, hosts, scope);
  lowerOomScore(log);
  let opened: Engine | undefined;
  const registry = registryOpener({
    configRoot: places.configRoot,
    registries: () => opened?.settings ?? settings,
    environment: process.env,
    log,
  });
  const { layerCompression } = options;
  const compression = layerCompression ? parseCompression(layerCompression) : undefined;
  const policyFiles = [join(places.configRoot, "policy.json")];
  const trust = (state: State) => openTrust({ policyFiles, state, log });
  const { engine } = scope.use(
    await openEngine({ ...places, log, registry, trust, compression, settings, network }),
  );
  opened = engine;
  const buildkit = openBuildKit(engine, { ...places, log });
  scope.defer(() => buildkit.close());
  const server = createApiServer({
    engine,
    log,
    buildkit,
    version,
    ownerOf: (client) => peerCredentials(descriptorOf(client)),
    untaken: (client) => untakenByPeer(descriptorOf(client)),
    describePlan: renderPlan,
    authorization: { plugins, names: () => engine.settings.authorizationPlugins },
    onRequest: releaseMemoryWhenQuiet(),
  });
  const listeners = await server.listen(addresses);
  scope.defer(() => server.close());
  const pidFile = join(places.runRoot, "engine.pid");
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  scope.defer(() => rmSync(pidFile, { force: true }));
  await serveBeside(options, { engine, places, log, scope });
  for (const listener of listeners) tellListener(listener, log);
  for (const warning of (await engine.info()).warnings) log.warn(warning);
  return { engine, listeners };
}

async function claimRoots({ dataRoot, runRoot }: Roots, hosts: readonly string[], scope: Scope) {
  const data = { path: dataRoot, kind: "data", hosts } as const;
  const run = { path: runRoot, kind: "run", hosts } as const;
  await makeRoot(data);
  await makeRoot(run);
  await useEmbeddedAddon();
  scope.use(await lockRoot(data));
  scope.use(await lockRoot(run));
}

const trustWarnings: Readonly<Partial<Record<OpenListener["trust"], string>>> = {
  plain:
    "every user of this machine who connects has root's rights; use a unix socket, or --tlsverify",
  encrypted: "whoever connects has root's rights; ask for client certificates with --tlsverify",
};

function tellListener({ name, trust }: OpenListener, log: Log): void {
  log.info("serving", { socket: name, version, pid: process.pid });
  const warning = trustWarnings[trust];
  if (warning) log.warn(warning, { socket: name });
}

interface Beside {
  readonly places: Roots;
  readonly log: Log;
  readonly scope: Scope;
}

/** The registry and the metrics, for those who ask for them: their code is loaded here. */
async function serveBeside(
  { registry, metricsAddr }: DaemonOptions,
  { engine, ...beside }: Beside & { readonly engine: Engine },
): Promise<void> {
  const { log, scope } = beside;
  const served = registry && (await serveRegistry(registry, beside));
  if (!metricsAddr) return;
  const { openMetricsServer } = await import("#local");
  const render = async () => (await engine.metrics(version)) + (served?.renderMetrics() ?? "");
  const { url } = scope.use(await openMetricsServer(metricsAddr, render));
  log.info("serving metrics", { url });
}

/**
 * In nanoseconds. A registry beside the engine cleans up after itself, since no other program does.
 */
const registryGcInterval = 24 * 3600e9;

async function serveRegistry(
  registry: NonNullable<DaemonOptions["registry"]>,
  { places, log, scope }: Beside,
): Promise<{ renderMetrics(): string }> {
  const { openServedRegistry } = await import("#local");
  const { dataRoot, configRoot } = places;
  const root = join(dataRoot, "registry");
  makePrivateDirectory(root);
  const service = await openServedRegistry(
    { ...registry, root, "gc-interval": registryGcInterval },
    { version, env: process.env, configRoot, credentials: async () => undefined },
    log,
  );
  scope.defer(() => service.close());
  const { url, authorityFile } = service;
  log.info("serving a registry", defined({ url, authorityFile }));
  return service;
}

function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd: number } };
  return handle?.fd ?? -1;
}

function renderPlan(bytes: Uint8Array, format: "json" | "text"): string {
  const plan = decodePlan(bytes);
  if (format === "text") return describePlan(plan);
  const plain = (_key: string, value: unknown) =>
    typeof value === "bigint"
      ? `0x${value.toString(16)}`
      : value instanceof Uint8Array
        ? value.toBase64()
        : value;
  return JSON.stringify(plan, plain, 2);
}

/** Until SIGTERM or SIGINT, whose name it gives; SIGHUP calls `reload`. */
function untilSignal(reload: () => void): Promise<string> {
  process.on("SIGHUP", reload);
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.once(signal, () => resolve(signal));
  });
}
