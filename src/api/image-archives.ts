import { defined, Fault, isFault } from "#base";
import type { Progress } from "#engine";
import { TAR_TYPE, wireLimits } from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { jsonPlatformOf, platformOf } from "./platform-query.ts";
import { progressMessage, withProgress } from "./progress-stream.ts";
import { pull } from "./registries.ts";
import { repoTag } from "./repo-tag.ts";
import type { Route } from "./router.ts";

/** Images as tar streams: save, load, import. */
export function imageArchiveRoutes(context: ApiContext): readonly Route[] {
  return [
    {
      method: "GET",
      pattern: "/images/get",
      handle: (exchange) =>
        save(
          context,
          exchange,
          exchange.query.all("names").flatMap((each) => each.split(",")),
        ),
    },
    {
      method: "GET",
      pattern: "/images/*name/get",
      handle: (exchange) => save(context, exchange, [exchange.param("name")]),
    },
    { method: "POST", pattern: "/images/load", handle: (exchange) => load(context, exchange) },
    { method: "POST", pattern: "/images/create", handle: (exchange) => create(context, exchange) },
  ];
}

async function save(
  { engine }: ApiContext,
  exchange: Exchange,
  names: readonly string[],
): Promise<void> {
  const refs = names.filter((name) => name !== "");
  if (refs.length === 0) throw new Fault("invalid", "no image is named: give names=IMAGE");
  if (refs.length > wireLimits.list)
    throw new Fault("invalid", `at most ${wireLimits.list} images can be saved at once`);
  const saved = refs.flatMap((ref) => {
    try {
      return engine.images.savedNames(ref);
    } catch (cause) {
      if (!isFault(cause, "not_found")) throw cause;
      throw new Fault("not_found", `No such image: ${ref}`, { about: ref, cause });
    }
  });
  const options = {
    platform: exchange.has("archivePlatform") ? jsonPlatformOf(exchange) : undefined,
    compression: exchange.query.text("compression"),
  };
  await exchange.stream(TAR_TYPE, engine.images.save(saved, options));
}

async function load({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const quiet = exchange.query.flag("quiet");
  const platform = exchange.has("archivePlatform") ? jsonPlatformOf(exchange) : undefined;
  // As dockerd: the answer is 200, and a failure is the last line.
  exchange.begin("application/json");
  await withProgress(exchange, async () => {
    const report = (progress: Progress) => {
      if (!quiet) exchange.progress(progressMessage(progress));
    };
    const loaded = await engine.images.load(exchange.body, { platform }, report);
    for (const { id, tag } of loaded)
      exchange.progress({
        stream: tag === undefined ? `Loaded image ID: ${id}\n` : `Loaded image: ${tag}\n`,
      });
  });
}

async function create(context: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  if (query.text("fromImage") !== undefined) return await pull(context, exchange);
  const source = query.text("fromSrc");
  if (source === undefined)
    throw new Fault("invalid", "nothing to create an image from: give fromSrc=-");
  if (source !== "-")
    throw new Fault(
      "unsupported",
      `importing from a URL is not supported yet: ${source}: send the archive and fromSrc=-`,
    );
  await importTree(context, exchange);
}

async function importTree({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const reference = repoTag(query);
  const message = query.text("message");
  const platform = exchange.has("pullPlatform") ? platformOf(exchange) : undefined;
  const created = query.epoch;
  const changes = query
    .all("changes")
    .flatMap((each) => each.split("\n"))
    .filter((each) => each.trim() !== "");
  await withProgress(exchange, async () => {
    const id = await engine.images.import(
      exchange.body,
      {
        message: message ?? "Imported from -",
        ...defined({ reference, platform, created }),
        changes,
      },
      () => undefined,
    );
    exchange.progress({ status: id });
  });
}
