import { Fault, isFault } from "#base";
import type { ContainerCreateBody } from "#container";
import { RUN_ID_HEADER, RUN_PATH, RUN_WARNINGS_HEADER, type RunEnd } from "#wire";
import { AttachedStream } from "./attached-stream.ts";
import type { ContainersClient, CreateOptions } from "./containers.ts";
import type { ProcessStream } from "./process-stream.ts";
import { type Call, ResponseFault, type Transport } from "./transport.ts";

/** A container that was created and started with its streams connected. */
export interface ContainerRun {
  readonly id: string;
  readonly warnings: readonly string[];
  readonly stream: ProcessStream;
  /** The exit status, once the output has been read to its end. Rejects with a ResponseFault when it could not be started. */
  readonly exitCode: Promise<number>;
}

/** Creates, attaches to and starts a container: by one request where the engine is thimble, else by Docker's four. */
export async function runContainer(
  transport: Transport,
  containers: ContainersClient,
  { body, options }: { readonly body: ContainerCreateBody; readonly options: CreateOptions },
): Promise<ContainerRun> {
  try {
    return await runByOne(transport, body, options);
  } catch (error) {
    if (!isFault(error, "unsupported") || error instanceof ResponseFault) throw error;
    return await runByFour(containers, body, options);
  }
}

function streamsOf(body: ContainerCreateBody) {
  return {
    stdin: body.AttachStdin ?? false,
    stdout: body.AttachStdout ?? false,
    stderr: body.AttachStderr ?? false,
  };
}

async function runByOne(
  transport: Transport,
  body: ContainerCreateBody,
  { name, platform }: CreateOptions,
): Promise<ContainerRun> {
  const query = { name, platform, ...streamsOf(body) };
  const call = { method: "POST", path: RUN_PATH, query, json: body } as const;
  return await openRun(transport, call);
}

/** A program by a call that answers with its output and its end; `unsupported` where the engine is not thimble. */
export async function openRun(transport: Transport, call: Call): Promise<ContainerRun> {
  const response = await transport.call(call, true);
  if (response.status !== 101) {
    response.close();
    throw new Fault("unsupported", `the engine has no ${call.path}: it is not thimble`);
  }
  const end = Promise.withResolvers<number>();
  end.promise.catch(() => undefined);
  let isKnown = false;
  const stream = new AttachedStream(response, (text) => {
    isKnown = true;
    const { StatusCode, Failure } = JSON.parse(text) as RunEnd;
    if (Failure) end.reject(new ResponseFault(Failure.Status, Failure.Message));
    else end.resolve(StatusCode);
  });
  async function* output() {
    try {
      yield* stream.output();
    } finally {
      if (!isKnown)
        end.reject(
          new Fault("unavailable", "the engine closed the connection before the container ended"),
        );
    }
  }
  return {
    id: response.headers.get(RUN_ID_HEADER) ?? "",
    warnings: JSON.parse(response.headers.get(RUN_WARNINGS_HEADER) ?? "[]"),
    stream: {
      write: (bytes) => stream.write(bytes),
      end: () => stream.end(),
      close: () => stream.close(),
      output,
    },
    exitCode: end.promise,
  };
}

async function runByFour(
  containers: ContainersClient,
  body: ContainerCreateBody,
  options: CreateOptions,
): Promise<ContainerRun> {
  const { Id: id, Warnings } = await containers.create(body, options);
  // Both must be in effect before the start: the output from its first byte on, and the
  // exit code of a container that is gone a moment later.
  const [stream, { result }] = await Promise.all([
    containers.attach(id, streamsOf(body)),
    containers.wait(id, body.HostConfig?.AutoRemove ? "removed" : "next-exit"),
  ]);
  const started = containers.start(id);
  started.catch(() => stream.close());
  const exitCode = started.then(async () => {
    const { StatusCode, Error: failure } = await result;
    if (failure?.Message) throw new ResponseFault(500, failure.Message);
    return StatusCode;
  });
  exitCode.catch(() => undefined);
  return { id, warnings: Warnings ?? [], stream, exitCode };
}
