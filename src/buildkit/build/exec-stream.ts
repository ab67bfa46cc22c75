import { PassThrough, type Writable } from "node:stream";
import { faultOf, isFault } from "#base";
import { readFrames, type SandboxProcess } from "#engine";
import { signalNumber } from "#kernel";
import { statusOf } from "../grpc/status.ts";
import type { ExecMessage } from "../protobuf/exec-messages.ts";
import type { Input, Value } from "../protobuf/message.ts";
import type { Containers } from "./containers.ts";

type Request = Value<typeof ExecMessage>;
type Reply = Input<typeof ExecMessage>;
type Init = NonNullable<Request["init"]>;

/** BuildKit's for a program whose end has no status. */
const unknownStatus = 255;
/** gRPC's "unknown". */
const unknown = 2;

/** The programs that a client runs in its containers: all of them over one call. */
export async function* execStream(
  containers: Containers,
  requests: AsyncIterable<Request>,
): AsyncGenerator<Reply, void> {
  // So many messages wait for a client that is slow.
  const replies = new PassThrough({ objectMode: true, highWaterMark: 16 });
  const programs = new Map<string, Program>();
  const serve = async () => {
    for await (const request of requests) {
      const { processId: id, init } = request;
      if (init) {
        const send = (reply: Reply) => written(replies, { processId: id, ...reply });
        const program = new Program(containers, send);
        programs.set(id, program);
        void program.run(init).finally(() => programs.delete(id));
      } else await programs.get(id)?.take(request);
    }
  };
  serve().then(
    () => replies.end(),
    (error) => replies.destroy(error),
  );
  try {
    yield* replies;
  } finally {
    for (const program of programs.values()) await program.kill(9);
  }
}

/** One program, from its start to its end. */
class Program {
  readonly #containers: Containers;
  readonly #send: (reply: Reply) => Promise<void>;
  readonly #started = Promise.withResolvers<SandboxProcess | undefined>();

  constructor(containers: Containers, send: (reply: Reply) => Promise<void>) {
    this.#containers = containers;
    this.#send = send;
  }

  /** Tells the client all of it; a program that cannot be started has begun, too, for BuildKit's clients. */
  async run(init: Init): Promise<void> {
    try {
      await using process = await this.#start(init).catch(async (error: unknown) => {
        await this.#send({ started: {} });
        throw error;
      });
      await this.#send({ started: {} });
      this.#started.resolve(process);
      await this.#deliver(process);
      const { exitCode: code } = await process.ended;
      const message = `process did not complete successfully: exit code: ${code}`;
      await this.#end(code, code === 0 ? undefined : { code: unknown, message });
    } catch (error) {
      this.#started.resolve(undefined);
      const { errno } = faultOf(error);
      const code = errno === "ENOENT" ? 127 : errno === "EACCES" ? 126 : unknownStatus;
      await this.#end(code, statusOf(error));
    }
  }

  /** What the client says to it once it has begun. */
  async take({ file, resize, signal }: Request): Promise<void> {
    const process = await this.#started.promise;
    if (!process) return;
    if (file?.fd === 0) {
      if (file.data.byteLength > 0) await written(process.input, Buffer.from(file.data));
      if (file.eof) process.input.end();
    }
    if (resize) {
      const { rows, cols: columns } = resize;
      await process.resize({ rows, columns }).catch(unlessEnded);
    }
    if (signal) await process.kill(signalNumber(signal.name) ?? 9);
  }

  async kill(signal: number): Promise<void> {
    const process = await this.#started.promise;
    await process?.kill(signal);
  }

  async #start({ containerId, meta, fds, tty }: Init): Promise<SandboxProcess> {
    const container = await this.#containers.get(containerId);
    const { args: argv = [], env = [], cwd = "", user = "" } = meta ?? {};
    const names = new Set(env.map(nameOf));
    return await container.start({
      ...{ argv, user, tty, cwd: cwd || "/", stdin: fds.includes(0) },
      env: [...container.env.filter((each) => !names.has(nameOf(each))), ...env],
    });
  }

  async #deliver({ output, tty }: SandboxProcess): Promise<void> {
    if (tty) for await (const data of output) await this.#send({ file: { fd: 1, data } });
    else {
      for await (const { stream, data } of readFrames(output))
        await this.#send({ file: { fd: stream === "stderr" ? 2 : 1, data } });
    }
  }

  async #end(code: number, error: { code: number; message: string } | undefined): Promise<void> {
    await this.#send({ exit: { code, error } });
    await this.#send({ done: {} });
  }
}

const nameOf = (variable: string) => variable.split("=", 1)[0] ?? "";

function unlessEnded(error: unknown): void {
  if (!isFault(error, "unavailable") && !isFault(error, "not_found")) throw error;
}

/** Settles once there is room for more; what is written to a stream that is closed is dropped. */
async function written(stream: Writable, value: unknown): Promise<void> {
  if (stream.destroyed || stream.writableEnded || stream.write(value)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ["drain", "close"]) stream.once(event, resolve);
  await promise;
  for (const event of ["drain", "close"]) stream.off(event, resolve);
}
