import { defined } from "#base";
import { type ContainerCreateBody, containerCreateSchema } from "#container";
import type { FileChange } from "#engine";
import type { ImageDefaults } from "#image";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { repoTag } from "./repo-tag.ts";
import type { Route } from "./router.ts";
import { containerOf } from "./wording.ts";

/** The changes of a container, as a list and as an image. */
export function commitRoutes(context: ApiContext): readonly Route[] {
  return [
    { method: "POST", pattern: "/commit", handle: (exchange) => commit(context, exchange) },
    {
      method: "GET",
      pattern: "/containers/:id/changes",
      handle: (exchange) => changes(context, exchange),
    },
  ];
}

const kinds: Readonly<Record<FileChange["kind"], number>> = { modified: 0, added: 1, deleted: 2 };

async function changes({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { id } = containerOf(engine, exchange.param("id"));
  const found = await engine.containers.changes(id);
  // The bytes of names are read as UTF-8, as clients do with all text.
  const text = (path: string) => Buffer.from(path, "latin1").toString();
  const answer = found.map(({ path, kind }) => ({ Path: text(path), Kind: kinds[kind] }));
  exchange.sendJson(200, answer.length > 0 ? answer : null);
}

async function commit({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const { id } = containerOf(engine, query.text("container") ?? "");
  const body = await exchange.json(containerCreateSchema);
  const reference = repoTag(query);
  const message = query.text("comment");
  const author = query.text("author");
  const created = query.epoch;
  const image = await engine.containers.commit(
    id,
    {
      ...defined({ reference, message, author, created }),
      // Without the parameter it is held, as in all versions that are spoken here.
      pause: !query.has("pause") || query.flag("pause"),
      changes: query
        .all("changes")
        .flatMap((each) => each.split("\n"))
        .filter((each) => each.trim() !== ""),
      config: defaultsOf(body),
    },
    exchange.signal,
  );
  exchange.sendJson(201, { Id: image });
}

/**
 * The part of a container's configuration that an image may have; absent and empty are the same.
 */
function defaultsOf(body: ContainerCreateBody): ImageDefaults {
  const words = (value: string | readonly string[] | null | undefined) =>
    typeof value === "string" ? [value] : (value ?? []);
  const cmd = words(body.Cmd);
  const entrypoint = words(body.Entrypoint);
  const keys = (value: Readonly<Record<string, unknown>> | null | undefined) =>
    Object.fromEntries(Object.keys(value ?? {}).map((key) => [key, {}]));
  const set = (key: "ExposedPorts" | "Volumes") =>
    Object.keys(body[key] ?? {}).length > 0 ? { [key]: keys(body[key]) } : {};
  return {
    ...defined({ User: body.User || undefined }),
    ...set("ExposedPorts"),
    ...set("Volumes"),
    ...((body.Env ?? []).length > 0 && { Env: body.Env ?? [] }),
    ...(cmd.length > 0 && { Cmd: cmd }),
    ...(entrypoint.length > 0 && { Entrypoint: entrypoint }),
    ...defined({ WorkingDir: body.WorkingDir || undefined }),
    ...(Object.keys(body.Labels ?? {}).length > 0 && { Labels: body.Labels ?? {} }),
    ...defined({ StopSignal: body.StopSignal || undefined }),
  };
}
