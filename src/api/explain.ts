import { Fault } from "#base";
import type { ImageComparison, ImageExplanation, ImagePathExplanation, SquashReport } from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { CheckingSchema } from "./json-body.ts";
import { progressMessage, withProgress } from "./progress-stream.ts";
import type { Route } from "./router.ts";

/** The content of images, and how they differ: thimble's own API. */
export function explainRoutes(context: ApiContext): readonly Route[] {
  return [
    {
      method: "GET",
      pattern: "/thimble/v1/images/*name/explain",
      handle: (exchange) => explain(context, exchange),
    },
    {
      method: "GET",
      pattern: "/thimble/v1/images/*name/sbom",
      handle: async (exchange) => {
        exchange.sendJson(200, await context.engine.analysis.sbom(exchange.param("name")));
      },
    },
    {
      method: "GET",
      pattern: "/thimble/v1/images/*name/diff",
      handle: (exchange) => diff(context, exchange),
    },
    {
      method: "POST",
      pattern: "/thimble/v1/images/*name/squash",
      handle: (exchange) => squash(context, exchange),
    },
  ];
}

async function explain({ engine, schemas }: ApiContext, exchange: Exchange): Promise<void> {
  const query = parse(schemas.explainQuerySchema, exchange, ["top", "depth", "layer", "path"]);
  const name = exchange.param("name");
  if (query.path !== undefined) {
    const { path } = query;
    const answer: ImagePathExplanation = await engine.analysis.explainPath(
      name,
      path,
      exchange.signal,
    );
    exchange.sendJson(200, answer);
    return;
  }
  const answer: ImageExplanation = await engine.analysis.explain(name, query, exchange.signal);
  exchange.sendJson(200, answer);
}

async function diff({ engine, schemas }: ApiContext, exchange: Exchange): Promise<void> {
  const { to, limit } = parse(schemas.imageDiffQuerySchema, exchange, ["to", "limit"]);
  const answer: ImageComparison = await engine.analysis.compare(
    exchange.param("name"),
    to,
    { limit },
    exchange.signal,
  );
  exchange.sendJson(200, answer);
}

async function squash({ engine, schemas }: ApiContext, exchange: Exchange): Promise<void> {
  const { from, reference, epoch } = parse(schemas.squashQuerySchema, exchange, [
    "from",
    "reference",
    "epoch",
  ]);
  await withProgress(exchange, async () => {
    const result: SquashReport = await engine.analysis.squash(
      exchange.param("name"),
      {
        from,
        reference,
        ...(epoch !== undefined && { created: BigInt(epoch) * 1_000_000_000n }),
      },
      (progress) => exchange.progress(progressMessage(progress)),
      exchange.signal,
    );
    const aux = { ID: result.id, squash: result };
    exchange.progress({ aux });
  });
}

/** The parameters that a request may have, as the schema takes them. */
function parse<T>(schema: CheckingSchema<T>, { query }: Exchange, names: readonly string[]): T {
  const given = names.flatMap((name) => {
    const value = query.text(name);
    return value === undefined ? [] : [[name, value]];
  });
  const result = schema.safeParse(Object.fromEntries(given));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Fault(
    "invalid",
    `invalid query parameter ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`,
  );
}
