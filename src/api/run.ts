import { Readable } from "node:stream";
import { faultOf, type Log } from "#base";
import { containerCreateSchema } from "#container";
import { type AttachedStream, startRefused } from "#engine";
import {
  encodeFrame,
  MULTIPLEXED_STREAM,
  RUN_ID_HEADER,
  RUN_PATH,
  RUN_WARNINGS_HEADER,
  type RunEnd,
} from "#wire";
import { createdContainer, createRequestOf } from "./containers.ts";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { faultResponse } from "./fault-response.ts";
import { join } from "./hijack.ts";
import type { Route } from "./router.ts";
import { launchFault } from "./wording.ts";

/** A whole `run` as one request. */
export function runRoutes(context: ApiContext): readonly Route[] {
  return [
    {
      method: "POST",
      pattern: RUN_PATH,
      handle: (exchange) => run(context, exchange),
      upgrade: "tcp",
      isCompound: true,
    },
  ];
}

async function run({ engine, log }: ApiContext, exchange: Exchange): Promise<void> {
  const body = await exchange.json(containerCreateSchema, { required: true });
  const { id, warnings } = await createdContainer(engine, createRequestOf(exchange, body));
  const container = engine.containers.get(id);
  const { query } = exchange;
  const stdin = query.flag("stdin") && container.config.OpenStdin;
  const attached = await engine.containers.attach(id, {
    stdin,
    stdout: query.flag("stdout"),
    stderr: query.flag("stderr"),
    logs: false,
    stream: true,
  });
  const condition = container.host.AutoRemove ? "removed" : "next-exit";
  const { result } = await engine.containers.wait(id, condition);
  // The output's end may be long in coming, and the program's end before that.
  result.catch(() => undefined);
  let connection: Awaited<ReturnType<Exchange["hijack"]>>;
  try {
    connection = await exchange.hijack(MULTIPLEXED_STREAM, {
      [RUN_ID_HEADER]: id,
      [RUN_WARNINGS_HEADER]: asciiJson(warnings),
    });
  } catch (error) {
    await attached[Symbol.asyncDispose]();
    throw error;
  }
  const started = engine.containers.start(id).then(
    () => undefined,
    (error) => launchFault(faultOf(error), startRefused),
  );
  const end = async (): Promise<RunEnd> => {
    const failure = await started;
    if (failure) throw failure;
    const { exitCode, error } = await result;
    return error ? failed(500, error) : { StatusCode: exitCode };
  };
  await join(connection, withEnd(attached, { log, end }), { stdin });
}

function failed(Status: number, Message: string): RunEnd {
  return { StatusCode: 125, Failure: { Status, Message } };
}

interface RunOutput {
  readonly log: Log;
  readonly end: () => Promise<RunEnd>;
}

/** The same stream in frames, with the end as its last one, however the output ended. */
export function withEnd(attached: AttachedStream, { log, end }: RunOutput): AttachedStream {
  async function* frames(): AsyncGenerator<Uint8Array> {
    try {
      for await (const bytes of attached.output)
        yield attached.tty ? encodeFrame("stdout", bytes) : bytes;
    } catch (error) {
      // A monitor whose start fails may go without a proper end; the failure that counts is told
      // below.
      log.debug("the output of a run broke off", { error: faultOf(error).message });
    }
    const ended = await end().catch((error) => {
      const { status, body } = faultResponse(faultOf(error), "1.44");
      return failed(status, JSON.parse(body).message);
    });
    yield encodeFrame("system", Buffer.from(JSON.stringify(ended)));
  }
  return {
    input: attached.input,
    output: Readable.from(frames()),
    tty: false,
    [Symbol.asyncDispose]: () => attached[Symbol.asyncDispose](),
  };
}

/** JSON that a header may carry. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
