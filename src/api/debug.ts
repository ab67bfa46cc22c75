import { Fault } from "#base";
import { MULTIPLEXED_STREAM } from "#wire";
import { sizeOf } from "./containers.ts";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { join } from "./hijack.ts";
import type { Route } from "./router.ts";
import { withEnd } from "./run.ts";
import { containerOf } from "./wording.ts";

/** Tools on the files of a container that is stopped. */
export function debugRoutes(context: ApiContext): readonly Route[] {
  return [
    {
      method: "POST",
      pattern: "/thimble/v1/containers/:id/debug",
      handle: (exchange) => debug(context, exchange),
      upgrade: "tcp",
    },
    {
      method: "POST",
      pattern: "/thimble/v1/containers/:id/debug/resize",
      handle: (exchange) => resize(context, exchange),
    },
  ];
}

/** The body is that of an exec; the answer is a stream as that of a run. */
async function debug({ engine, log, schemas }: ApiContext, exchange: Exchange): Promise<void> {
  const body = await exchange.json(schemas.execCreateSchema);
  const image = exchange.query.text("image") ?? "";
  if (image === "") throw new Fault("invalid", "no image of the tools is named: give image=NAME");
  const { id } = containerOf(engine, exchange.param("id"));
  const stdin = body.AttachStdin ?? false;
  await using session = await engine.containers.debug(id, {
    ...{ image, stdin },
    argv: typeof body.Cmd === "string" ? [body.Cmd] : (body.Cmd ?? []),
    user: body.User ?? "",
    tty: body.Tty ?? false,
  });
  const { streams } = session;
  const connection = await exchange.hijack(MULTIPLEXED_STREAM);
  const end = async () => ({ StatusCode: await session.ended });
  await join(connection, withEnd(streams, { log, end }), { stdin });
}

async function resize({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const size = sizeOf(exchange);
  await engine.containers.resizeDebug(containerOf(engine, exchange.param("id")).id, size);
  exchange.sendEmpty(200);
}
