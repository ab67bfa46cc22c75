import { Fault, isFault } from "#base";
import type { PathStat } from "#engine";
import { encodePathStat, goFileMode, PATH_STAT_HEADER, TAR_TYPE } from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./router.ts";
import { timeText } from "./time-text.ts";
import { containerOf } from "./wording.ts";

/** The files of containers, as `docker cp` reads and writes them. */
export function containerArchiveRoutes(context: ApiContext): readonly Route[] {
  const pattern = "/containers/:id/archive";
  return [
    { method: "HEAD", pattern, handle: (exchange) => head(context, exchange) },
    { method: "GET", pattern, handle: (exchange) => get(context, exchange) },
    { method: "PUT", pattern, handle: (exchange) => put(context, exchange) },
  ];
}

async function head({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const path = pathOf(exchange);
  const { id } = containerOf(engine, exchange.param("id"));
  tellPathStat(exchange, await told(exchange, path, () => engine.files.stat(id, path)));
  exchange.sendEmpty(200);
}

async function get({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const path = pathOf(exchange);
  const { id } = containerOf(engine, exchange.param("id"));
  await using files = await told(exchange, path, () => engine.files.open(id, path));
  tellPathStat(exchange, files.stat);
  // thimble's own: many readers of tar know no sparse files.
  const holes = exchange.query.flag("holes");
  await exchange.stream(TAR_TYPE, files.archive({ holes }), { atOnce: true, steady: true });
}

async function put({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const path = pathOf(exchange);
  const { query } = exchange;
  const { id } = containerOf(engine, exchange.param("id"));
  await told(exchange, path, () =>
    engine.files.put(id, path, {
      archive: exchange.steadyBody,
      keepsKinds: query.flag("noOverwriteDirNonDir"),
      toUser: query.flag("copyUIDGID"),
      signal: exchange.signal,
    }),
  );
  exchange.sendEmpty(200);
}

/** Docker looks at it before the container. */
function pathOf({ query }: Exchange): string {
  const path = query.text("path");
  if (!path) throw new Fault("invalid", "bad parameter: pathcannot be empty");
  if (path.includes("\0"))
    throw new Fault("invalid", "bad parameter: path cannot hold a NUL character");
  return path;
}

/** Tells about a file in the header that Docker has for it. */
export function tellPathStat({ response }: Exchange, stat: PathStat): void {
  const { name, size, mode, mtime, linkTarget } = stat;
  const told = { name, size, mode: goFileMode(mode), mtime: timeText(mtime), linkTarget };
  response.setHeader(PATH_STAT_HEADER, encodePathStat(told));
}

/** Go's words for what can be wrong with a path. */
const pathFaults: Readonly<Record<string, string>> = {
  ENOTDIR: "not a directory",
  ELOOP: "too many levels of symbolic links",
  ENAMETOOLONG: "file name too long",
};

/** A file that is missing is 404, any other failure to reach or unpack one 500, as in Docker. */
async function told<T>(exchange: Exchange, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isFault(cause) || (cause.stage !== "path" && cause.stage !== "unpack")) throw cause;
    const detail = { about: path, cause };
    if (cause.errno === "ENOENT") {
      const container = exchange.param("id");
      const message = `Could not find the file ${path} in container ${container}`;
      throw new Fault("not_found", message, detail);
    }
    const why = pathFaults[cause.errno ?? ""];
    const message = cause.stage === "path" && why ? `lstat ${cause.about}: ${why}` : cause.message;
    throw new Fault(cause.code === "canceled" ? "canceled" : "internal", message, detail);
  }
}
