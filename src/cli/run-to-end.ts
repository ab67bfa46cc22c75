import type { Client } from "#client";

export interface Ended {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** From the first request to the last answer: created, started, ended and removed. */
  readonly milliseconds: number;
}

/** The most that a small program may print. */
const maxOutput = 32 << 20;

/** Runs a command in a container that goes away with it, and gives its output. */
export async function runToEnd(
  { containers }: Client,
  image: string,
  argv: readonly string[],
): Promise<Ended> {
  const start = performance.now();
  const { id, stream, exitCode } = await containers.run({
    Image: image,
    Cmd: [...argv],
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: { AutoRemove: true },
  });
  const printed = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  try {
    let size = 0;
    for await (const part of stream.output()) {
      size += part.bytes.byteLength;
      if (size > maxOutput) throw new Error(`${argv.join(" ")} in ${image} prints too much`);
      printed[part.stream].push(part.bytes);
    }
    return {
      exitCode: await exitCode,
      stdout: Buffer.concat(printed.stdout),
      stderr: Buffer.concat(printed.stderr).toString(),
      milliseconds: performance.now() - start,
    };
  } catch (error) {
    await containers.remove(id, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    stream.close();
  }
}
