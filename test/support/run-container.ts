import type { Readable } from "node:stream";
import type { ContainerId } from "#base";
import type { AttachedStream, Engine } from "#engine";
import { createRequest } from "./create-request.ts";

type Change = Parameters<typeof createRequest>[2];

export interface Finished {
  readonly id: ContainerId;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As `docker run`: create, attach, wait, start; the container stays unless it removes itself. */
export async function runContainer(
  engine: Engine,
  cmd: readonly string[],
  change: Change & { readonly input?: string } = {},
): Promise<Finished> {
  const { input, ...rest } = change;
  const config = {
    ...(input !== undefined && { OpenStdin: true, StdinOnce: true, AttachStdin: true }),
    ...rest.config,
  };
  const { id } = await engine.containers.create(createRequest("busybox", cmd, { ...rest, config }));
  await using attached = await engine.containers.attach(id, attachAll(input !== undefined));
  const output = collectStreams(attached);
  const condition = rest.host?.AutoRemove ? "removed" : "next-exit";
  const { result } = await engine.containers.wait(id, condition);
  await engine.containers.start(id);
  if (input !== undefined) attached.input.end(input);
  const { exitCode } = await result;
  return { id, exitCode, ...(await output) };
}

/** A container that runs until it is stopped. */
export async function startSleeper(engine: Engine, change: Change = {}): Promise<ContainerId> {
  const { id } = await engine.containers.create(
    createRequest("busybox", ["sleep", "1000"], change),
  );
  await engine.containers.start(id);
  return id;
}

export function attachAll(stdin: boolean) {
  return { stdin, stdout: true, stderr: true, logs: false, stream: true };
}

/** Both outputs of an attached process until they end; a terminal's is all stdout. */
export async function collectStreams(
  attached: AttachedStream,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return await collectOutput(attached.output, attached.tty);
}

export async function collectOutput(
  source: Readable | AsyncIterable<Uint8Array>,
  tty = false,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  let bytes = Buffer.concat(chunks);
  if (tty) return { stdout: bytes.toString(), stderr: "" };
  const texts = ["", "", ""];
  while (bytes.byteLength > 0) {
    if (bytes.byteLength < 8) throw new Error("a frame is cut short");
    const end = 8 + bytes.readUInt32BE(4);
    if (bytes.byteLength < end) throw new Error("a frame is cut short");
    texts[bytes[0] ?? 0] += bytes.subarray(8, end).toString();
    bytes = bytes.subarray(end);
  }
  return { stdout: texts[1] ?? "", stderr: texts[2] ?? "" };
}

/** Runs a command in a running container, as `docker exec`. */
export async function execIn(
  engine: Engine,
  ref: string,
  argv: readonly string[],
  change: Partial<Parameters<Engine["execs"]["create"]>[1]> = {},
): Promise<{
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}> {
  const id = await engine.execs.create(ref, {
    argv,
    env: [],
    workingDir: "",
    user: "",
    privileged: false,
    tty: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    ...change,
  });
  const attached = await engine.execs.start(id, { detach: false });
  if (!attached) throw new Error("an attached exec has no stream");
  const output = await collectStreams(attached);
  const { exitCode } = await eventually(() => {
    const exec = engine.execs.get(id);
    return exec.exitCode === undefined ? undefined : exec;
  }, "the exec's exit code");
  return { exitCode, ...output };
}

/** Asks again until there is an answer; for changes that the kernel makes in its own time. */
export async function eventually<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  what: string,
): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end; await Bun.sleep(10)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`waited in vain for ${what}`);
}
