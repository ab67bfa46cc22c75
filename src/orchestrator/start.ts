import { Fault } from "#base";
import { copiedFiles, type Dependency, itemsAt, type Plan, type ServicePlan } from "#compose";
import { TarWriter, textToName } from "#tar";
import { type Condition, lastWords, reach } from "./conditions.ts";
import { runHooks } from "./hooks.ts";
import { told } from "./progress.ts";
import { all, type Run, type RunContainer } from "./project-run.ts";

/** The services to start, and their project, whose secrets and configs they have. */
type StartPlan = Pick<Plan, "project" | "services">;

/** How services are started. */
export interface StartOptions {
  /** A container that ended with 0 is not run again where others wait for its success. */
  readonly skipsCompleted: boolean;
}

/**
 * Starts the containers of a plan, and with `wait` waits until they are ready, for `wait-timeout` seconds
 * at most.
 * @throws Fault of what failed first, in docker compose's words; what it said last stands below
 */
export async function startAll(
  run: Run,
  started: Started,
  options: StartOptions & {
    readonly wait: boolean;
    readonly "wait-timeout"?: number | undefined;
  },
): Promise<void> {
  const limit = options["wait-timeout"] ?? 0;
  const timeout = limit > 0 ? AbortSignal.timeout(limit * 1000) : undefined;
  const signal = timeout ? AbortSignal.any([run.signal, timeout]) : run.signal;
  const limited = { ...run, signal };
  try {
    await startServices(limited, started, options);
    if (options.wait) await awaitServices(limited, started);
  } catch (cause) {
    if (!timeout?.aborted) throw cause;
    throw new Fault("timeout", `application not healthy after ${limit}s`, { cause });
  }
}

/** What is started: the services, and their containers. */
interface Started {
  readonly plan: StartPlan;
  readonly made: ReadonlyMap<string, readonly RunContainer[]>;
}

/**
 * Starts the containers of a plan side by side, each after what it depends on has reached its condition.
 * @throws Fault of what failed first, in docker compose's words; what it said last stands below
 */
async function startServices(
  run: Run,
  { plan, made }: Started,
  options: StartOptions,
): Promise<void> {
  const oneShots = new Set(
    plan.services
      .flatMap(({ dependencies }) => dependencies)
      .filter(({ condition }) => condition === "service_completed_successfully")
      .map(({ service }) => service),
  );
  const started = new Map<string, Promise<void>>();
  for (const service of plan.services) {
    const isSkipped = (container: RunContainer) =>
      options.skipsCompleted && oneShots.has(service.name) && container.hasCompleted;
    const work = async () => {
      await all(service.dependencies.map((one) => started.get(one.service) ?? Promise.resolve()));
      if (service.scale === 0) return;
      await all(
        service.dependencies.map((one) => awaitDependency(run, { plan, made, one, service })),
      );
      const containers = made.get(service.name) ?? [];
      await all(
        containers
          .filter((container) => !container.isRunning && !isSkipped(container))
          .map((container) => startContainer(run, { plan, service, container })),
      );
    };
    const promise = work();
    promise.catch(() => undefined);
    started.set(service.name, promise);
  }
  await all([...started.values()]);
}

async function startContainer(
  run: Run,
  { plan, service, container }: { plan: StartPlan; service: ServicePlan; container: RunContainer },
): Promise<void> {
  run.signal.throwIfAborted();
  const words = { id: `Container ${container.name}`, doing: "Starting", done: "Started" };
  await putFiles(run, plan, { service, container });
  await told(run.report, words, async () => {
    await run.client.containers.start(container.id);
    container.isRunning = true;
    const hooks = itemsAt(service.service, "post_start");
    await runHooks(run.client, container.id, hooks, run.onHookOutput?.(container.name));
  });
}

/** Copies the secrets and configs into a container that are no files to mount. */
async function putFiles(
  run: Run,
  { project }: StartPlan,
  { service, container }: { service: ServicePlan; container: RunContainer },
): Promise<void> {
  const { name } = service;
  for (const file of copiedFiles(project, service.service, {
    name,
    environment: run.environment,
  })) {
    const bytes =
      "file" in file.from ? await run.readFile(file.from.file) : Buffer.from(file.from.content);
    const archive: Uint8Array[] = [];
    const writer = new TarWriter((part) => archive.push(part));
    writer.entry({
      ...{ name: textToName(file.target.replace(/^\/+/, "")), type: "file", linkName: "" },
      ...{ mode: file.mode, uid: file.uid, gid: file.gid, size: bytes.byteLength, mtime: 0n },
    });
    writer.data(bytes);
    writer.finish();
    await run.client.containers.putArchive(container.id, "/", parts(archive), {
      copyUIDGID: true,
    });
  }
}

async function* parts(archive: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* archive;
}

interface Waiting {
  readonly plan: StartPlan;
  readonly made: ReadonlyMap<string, readonly RunContainer[]>;
  readonly one: Dependency;
  readonly service: ServicePlan;
}

const conditions: readonly string[] = ["service_healthy", "service_completed_successfully"];

async function awaitDependency(run: Run, { plan, made, one, service }: Waiting): Promise<void> {
  const other = plan.services.find(({ name }) => name === one.service);
  if (!conditions.includes(one.condition) || other === undefined || other.scale === 0) return;
  const containers = made.get(one.service) ?? [];
  if (containers.length === 0) {
    const problem = `${service.name} is missing dependency ${one.service}`;
    if (one.isRequired) throw new Fault("not_found", problem);
    return;
  }
  const condition = one.condition as Condition;
  await all(containers.map((container) => awaitContainer(run, { container, one, condition })));
}

async function awaitContainer(
  run: Run,
  { container, one, condition }: { container: RunContainer; one: Dependency; condition: Condition },
): Promise<void> {
  const isOneShot = condition === "service_completed_successfully";
  await awaitTold(run, { container, condition }, ({ message }) => {
    const what = isOneShot ? `${JSON.stringify(one.service)} ${message}` : message;
    if (one.isRequired)
      return isOneShot ? `service ${what}` : `dependency failed to start: ${what}`;
    const text = isOneShot
      ? `optional dependency ${what}`
      : `optional dependency ${JSON.stringify(one.service)} failed to start`;
    const id = `Container ${container.name}`;
    run.report({ id, text: `Skipped - ${text}`, status: "warning" });
    return undefined;
  });
}

/** Waits for a condition and tells of it; a failure is one in the words of `problem`, or none. */
async function awaitTold(
  run: Run,
  { container, condition }: { container: RunContainer; condition: Condition },
  problem: (fault: Fault) => string | undefined,
): Promise<void> {
  const id = `Container ${container.name}`;
  run.report({ id, text: "Waiting", status: "working" });
  try {
    await reach(run.client, container.id, condition, run.signal);
  } catch (error) {
    if (!(error instanceof Fault) || error.code === "canceled") throw error;
    const message = problem(error);
    if (message === undefined) return;
    run.report({ id, text: "Error", status: "error" });
    throw await explained(run, container, message, error);
  }
  const text = condition === "service_completed_successfully" ? "Exited" : "Healthy";
  run.report({ id, text, status: "done" });
}

/** A failure with what the container said last, for people. */
async function explained(run: Run, container: RunContainer, message: string, cause: Fault) {
  const words = await lastWords(run.client, container.id).catch(() => "");
  return new Fault("internal", words === "" ? message : `${message}\n${words}`, { cause });
}

/**
 * Waits until all services run, are healthy, or, where others wait for their success, have ended with 0.
 * @throws Fault of the first that never will
 */
async function awaitServices(run: Run, { plan, made }: Started): Promise<void> {
  const dependencies = plan.services.flatMap((service) => service.dependencies);
  const conditionOf = (name: string): Condition =>
    dependencies.some(
      ({ service, condition }) =>
        service === name && condition === "service_completed_successfully",
    )
      ? "service_completed_successfully"
      : "running_or_healthy";
  await all(
    plan.services.flatMap(({ name }) =>
      (made.get(name) ?? []).map((container) =>
        awaitReady(run, container, { name, condition: conditionOf(name) }),
      ),
    ),
  );
}

async function awaitReady(
  run: Run,
  container: RunContainer,
  { name, condition }: { name: string; condition: Condition },
): Promise<void> {
  const isOneShot = condition === "service_completed_successfully";
  await awaitTold(run, { container, condition }, ({ message }) =>
    isOneShot ? `service ${JSON.stringify(name)} ${message}` : message,
  );
}
