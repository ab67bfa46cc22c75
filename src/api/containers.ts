import { defined, Fault, type FaultCode, faultOf, isFault } from "#base";
import {
  type ContainerCreateBody,
  type ContainerUpdateBody,
  checkSignal,
  containerCreateSchema,
  containerUpdateSchema,
  sentOf,
} from "#container";
import {
  type Container,
  type CreateRequest,
  type Engine,
  startRefused,
  type WaitCondition,
} from "#engine";
import { inspectContainer, withOwnNames } from "./container-inspect.ts";
import { listContainers, sizesOf } from "./container-list.ts";
import type { ApiContext } from "./context.ts";
import { currentBody } from "./create-version.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./router.ts";
import { containerOf, launchFault, nameFault, noSuchImage } from "./wording.ts";

const conditions: readonly string[] = ["not-running", "next-exit", "removed"];

/** The endpoints of /containers that answer once; the streams are in container-streams. */
export function containerRoutes(context: ApiContext): readonly Route[] {
  const on =
    (handle: (context: ApiContext, exchange: Exchange) => Promise<void> | void) =>
    (exchange: Exchange) =>
      handle(context, exchange);
  return [
    { method: "GET", pattern: "/containers/json", handle: on(listContainers) },
    { method: "POST", pattern: "/containers/create", handle: on(create) },
    { method: "POST", pattern: "/containers/prune", handle: on(prune) },
    { method: "GET", pattern: "/containers/:id/json", handle: on(inspect) },
    { method: "GET", pattern: "/containers/:id/top", handle: on(top) },
    { method: "POST", pattern: "/containers/:id/start", handle: on(start) },
    { method: "POST", pattern: "/containers/:id/stop", handle: on(stop) },
    { method: "POST", pattern: "/containers/:id/restart", handle: on(restart) },
    { method: "POST", pattern: "/containers/:id/kill", handle: on(kill) },
    { method: "POST", pattern: "/containers/:id/rename", handle: on(rename) },
    { method: "POST", pattern: "/containers/:id/wait", handle: on(wait) },
    { method: "POST", pattern: "/containers/:id/update", handle: on(update) },
    { method: "POST", pattern: "/containers/:id/pause", handle: on(pause) },
    { method: "POST", pattern: "/containers/:id/unpause", handle: on(unpause) },
    { method: "POST", pattern: "/containers/:id/resize", handle: on(resize) },
    { method: "DELETE", pattern: "/containers/:id", handle: on(remove) },
    { method: "DELETE", pattern: "/containers/:id/:alias", handle: on(removeLink) },
  ];
}

async function create({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const body = await exchange.json(containerCreateSchema, { required: true });
  const { id, warnings } = await createdContainer(engine, createRequestOf(exchange, body));
  exchange.sendJson(201, { Id: id, Warnings: warnings });
}

/** Creates a container; failures are told in Docker's words. */
export async function createdContainer(
  engine: Engine,
  request: CreateRequest,
): ReturnType<Engine["containers"]["create"]> {
  try {
    return await engine.containers.create(request);
  } catch (error) {
    const fault = faultOf(error);
    const { name, sent } = request;
    if (fault.code === "not_found")
      throw await missingImage({ engine }, sent.Config.Image ?? "", fault);
    throw name === undefined ? fault : nameFault(engine, name, fault);
  }
}

/** A create request from its body, its query and its connection. */
export function createRequestOf(exchange: Exchange, body: ContainerCreateBody): CreateRequest {
  const name = exchange.query.text("name");
  const platform = exchange.has("createPlatform") ? exchange.query.text("platform") : undefined;
  return {
    ...defined({ name, platform }),
    sent: {
      ...sentOf(currentBody(exchange, body)),
      ...(!exchange.has("readOnlyBelow") && { shallowBinds: true }),
    },
    owner: exchange.owner,
  };
}

/** The thing that a create did not find: the image, or another that the fault names. */
async function missingImage(
  { engine }: Pick<ApiContext, "engine">,
  image: string,
  fault: Fault,
): Promise<Fault> {
  try {
    await engine.images.get(image);
    return fault;
  } catch (cause) {
    return isFault(cause, "not_found") ? noSuchImage(image, cause) : fault;
  }
}

async function inspect(context: ApiContext, exchange: Exchange): Promise<void> {
  const container = containerOf(context.engine, exchange.param("id"));
  const answer = inspectContainer(container);
  const sizes = exchange.query.flag("size") ? await sizesOf(context, container) : {};
  const { NetworkSettings } = exchange.has("ownAliases") ? answer : withOwnNames(answer);
  exchange.sendJson(200, { ...answer, ...sizes, NetworkSettings });
}

async function top({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { id } = containerOf(engine, exchange.param("id"));
  const words = (exchange.query.text("ps_args") ?? "-ef")
    .split(/\s+/)
    .filter((word) => word !== "");
  const { titles, processes } = await engine.containers.top(id, words);
  exchange.sendJson(200, { Titles: titles, Processes: processes });
}

async function start({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  refuseStartBody(exchange);
  const container = containerOf(engine, exchange.param("id"));
  if (container.state.status === "running") throw new Fault("not_modified", "already running");
  if (container.state.status === "paused")
    throw new Fault("conflict", "cannot start a paused container, try unpause instead");
  try {
    await engine.containers.start(container.id);
  } catch (error) {
    throw launchFault(faultOf(error), startRefused);
  }
  exchange.sendEmpty(204);
}

/** A HostConfig at the start is of long ago; Docker takes less than 8 bytes for nothing, as "{}" and "null". */
function refuseStartBody({ request: { headers } }: Exchange): void {
  const isChunked = headers["transfer-encoding"] !== undefined;
  if (!isChunked && Number(headers["content-length"] ?? 0) <= 7) return;
  throw new Fault(
    "invalid",
    "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
  );
}

/** `t` in seconds and `signal` of stop and restart. */
function stopOptions(exchange: Exchange): { timeout?: number; signal?: string } {
  const timeout = exchange.query.whole("t");
  const signal = exchange.has("stopSignal") ? exchange.query.text("signal") : undefined;
  return defined({ timeout, signal });
}

async function stop({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const ref = exchange.param("id");
  const options = stopOptions(exchange);
  const { id } = containerOf(engine, ref);
  try {
    await engine.containers.stop(id, options);
  } catch (error) {
    const { code, message } = faultOf(error);
    if (code !== "invalid") throw error;
    throw new Fault(code, `cannot stop container: ${ref}: ${message}`, {
      about: ref,
      cause: error,
    });
  }
  exchange.sendEmpty(204);
}

async function restart({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const container = containerOf(engine, exchange.param("id"));
  try {
    await engine.containers.restart(container.id, stopOptions(exchange));
  } catch (error) {
    throw launchFault(faultOf(error), startRefused);
  }
  exchange.sendEmpty(204);
}

async function kill({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const ref = exchange.param("id");
  const signal = exchange.query.text("signal") ?? "SIGKILL";
  const refuse = (code: FaultCode, why: string, cause?: unknown) =>
    new Fault(code, `cannot kill container: ${ref}: ${why}`, { about: ref, cause });
  if (/^-?[1-9]\d*$/.test(signal) && !isSignal(signal))
    throw refuse("invalid", `the linux daemon does not support signal ${signal}`);
  if (!isSignal(signal)) throw refuse("invalid", `invalid signal: ${signal}`);
  const container = killable(engine, ref, refuse);
  if (!["running", "paused", "restarting"].includes(container.state.status))
    throw refuse("conflict", `container ${container.id} is not running`);
  try {
    await engine.containers.kill(container.id, signal);
  } catch (error) {
    if (isFault(error, "conflict"))
      throw refuse("conflict", `container ${container.id} is not running`, error);
    throw error;
  }
  exchange.sendEmpty(204);
}

function isSignal(text: string): boolean {
  try {
    return checkSignal(text) > 0;
  } catch {
    return false;
  }
}

function killable(
  engine: Engine,
  ref: string,
  refuse: (code: FaultCode, why: string, cause: unknown) => Fault,
): Container {
  try {
    return containerOf(engine, ref);
  } catch (error) {
    const { code, message } = faultOf(error);
    throw refuse(code, message, error);
  }
}

async function update({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { id } = containerOf(engine, exchange.param("id"));
  const body = await updateOf(exchange);
  try {
    const warnings = await engine.containers.update(id, body);
    exchange.sendJson(200, { Warnings: warnings.length > 0 ? warnings : null });
  } catch (error) {
    const fault = faultOf(error);
    if (fault.code === "invalid") throw fault;
    throw new Fault(fault.code, `Cannot update container ${id}: ${fault.message}`, {
      cause: fault,
    });
  }
}

/** `PidsLimit` and kernel memory as far as the version has them. */
async function updateOf(exchange: Exchange): Promise<ContainerUpdateBody> {
  const body = await exchange.json(containerUpdateSchema);
  return {
    ...body,
    ...(!exchange.has("pidsUpdate") && { PidsLimit: null }),
    ...(exchange.has("noKernelMemory") && { KernelMemory: null }),
  };
}

async function pause({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  await engine.containers.pause(containerOf(engine, exchange.param("id")).id);
  exchange.sendEmpty(204);
}

async function unpause({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  await engine.containers.unpause(containerOf(engine, exchange.param("id")).id);
  exchange.sendEmpty(204);
}

async function rename({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const name = exchange.query.text("name");
  if (name === undefined) throw new Fault("invalid", "Neither old nor new names may be empty");
  const container = containerOf(engine, exchange.param("id"));
  if (name.replace(/^\//, "") === container.name)
    throw new Fault("invalid", "Renaming a container with the same name as its current name");
  try {
    await engine.containers.rename(container.id, name);
  } catch (error) {
    // Docker names it with its slash here, and has words for whatever is wrong.
    const { code, message } = nameFault(engine, name, faultOf(error));
    const told = message.replace(`name (${name})`, `name (/${name.replace(/^\//, "")})`);
    throw new Fault(code, `Error when allocating new name: ${told}`, { about: name, cause: error });
  }
  exchange.sendEmpty(204);
}

/** The headers go out as soon as the wait is registered: clients start the container on seeing them. */
async function wait({ engine, log }: ApiContext, exchange: Exchange): Promise<void> {
  const condition = waitCondition(exchange);
  const { id } = containerOf(engine, exchange.param("id"));
  const { result } = await engine.containers.wait(id, condition);
  if (exchange.has("waitCondition")) exchange.begin("application/json");
  let answer: object;
  try {
    const { exitCode, error } = await result;
    answer = { StatusCode: exitCode, ...(error ? { Error: { Message: error } } : {}) };
  } catch (error) {
    const { message } = faultOf(error);
    log.warn("a wait failed", { container: id, error: message });
    if (condition === "removed" && !exchange.has("waitError")) {
      exchange.response.end();
      return;
    }
    answer = { StatusCode: -1, Error: { Message: message } };
  }
  if (!exchange.response.headersSent) exchange.sendJson(200, answer);
  else exchange.response.end(`${JSON.stringify(answer)}\n`);
}

function waitCondition(exchange: Exchange): WaitCondition {
  const condition = exchange.has("waitCondition") && exchange.query.text("condition");
  if (!condition) return "not-running";
  if (!isCondition(condition)) throw new Fault("invalid", `invalid condition: "${condition}"`);
  return condition;
}

function isCondition(text: string): text is WaitCondition {
  return conditions.includes(text);
}

async function resize({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const size = sizeOf(exchange);
  await engine.containers.resize(containerOf(engine, exchange.param("id")).id, size);
  exchange.sendEmpty(200);
}

/** `h` and `w` of both resize endpoints; 32 bits are read and 16 count, as in Docker. */
export function sizeOf({ query }: Exchange): { readonly rows: number; readonly columns: number } {
  const side = (name: "h" | "w", word: string) => {
    const text = query.text(name) ?? "";
    const wrong = /^[+-]?\d+$/.test(text) ? "value out of range" : "invalid syntax";
    if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffff_ffff)
      throw new Fault("invalid", `invalid resize ${word} ${JSON.stringify(text)}: ${wrong}`);
    return Number(text) & 0xffff;
  };
  return { rows: side("h", "height"), columns: side("w", "width") };
}

async function remove({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const ref = exchange.param("id");
  const { id, state } = containerOf(engine, ref);
  const { query } = exchange;
  if (query.flag("link"))
    throw new Fault("internal", "Conflict, cannot remove the default link name of the container");
  const force = query.flag("force");
  if (!force && ["running", "paused", "restarting"].includes(state.status))
    throw new Fault(
      "conflict",
      `cannot remove container "${ref}": container is ${
        state.status === "paused"
          ? "paused and must be unpaused first"
          : `${state.status}: stop the container before removing or force remove`
      }`,
      { about: ref },
    );
  await engine.containers.remove(id, { force, volumes: query.flag("v") });
  exchange.sendEmpty(204);
}

/** `docker rm --link web/mysql`: the container of that name is not removed, but the link that gives it the name. */
async function removeLink({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const [ref, alias] = [exchange.param("id"), exchange.param("alias")];
  if (!exchange.query.flag("link"))
    throw new Fault("not_found", `No such container: ${ref}/${alias}`, { about: ref });
  await engine.containers.removeLink(ref, alias);
  exchange.sendEmpty(204);
}

async function prune({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const filters = exchange.query.filters(["until", "label", "label!"]);
  const { removed, bytes } = await engine.containers.prune(filters);
  exchange.sendJson(200, {
    ContainersDeleted: removed.length > 0 ? removed : null,
    SpaceReclaimed: bytes,
  });
}
