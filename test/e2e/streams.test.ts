/** The streams of attach and exec over the socket of a real engine, with clients that are slow, or write what nobody reads. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;
const image = "busybox:e2e";

describe.skipIf(!isRoot)("streams [needs root]", () => {
  const cli = new ThimbleCli();
  let container: string;
  beforeAll(async () => {
    await cli.importBusybox(image);
    container = await cli.ok(["run", "-d", "--network", "none", image, "sleep", "1000"]);
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });

  const call = async (path: string, body?: object): Promise<Record<string, unknown>> => {
    const response = await fetch(`http://d${path}`, {
      unix: cli.socket,
      ...(body && {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" },
      }),
    });
    return (await response.json()) as Record<string, unknown>;
  };

  /** Starts an exec over a connection from which nothing is read before the exec has ended. */
  async function execReadLate(tty: boolean): Promise<readonly Buffer[]> {
    const create = { Cmd: ["echo", "hello"], AttachStdout: true, AttachStderr: true, Tty: tty };
    const { Id } = await call(`/containers/${container}/exec`, create);
    const body = JSON.stringify({ Tty: tty });
    const socket = await pausedConnection(cli.socket);
    socket.write(
      `POST /exec/${Id}/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    while ((await call(`/exec/${Id}/json`)).ExitCode !== 0) await Bun.sleep(5);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk)).resume();
    await new Promise((resolve) => socket.once("end", resolve));
    socket.destroy();
    return chunks;
  }

  test.each([
    [false, "\x01\0\0\0\0\0\0\x06hello\n"],
    [true, "hello\r\n"],
  ])(
    "an exec's output never comes with the head, however late that is read (terminal: %p)",
    async (tty, wanted) => {
      for (let run = 0; run < 5; run++) {
        const [head, ...output] = await execReadLate(tty);
        expect(head?.toString()).toEndWith("\r\n\r\n");
        expect(Buffer.concat(output).toString()).toBe(wanted);
      }
    },
  );

  test("a program that prints nothing ends its stream, however fast it is", async () => {
    const runs = Array.from({ length: 20 }, () => cli.run(["exec", container, "true"]));
    for (const { status, stdout } of await Promise.all(runs))
      expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });

  test("a program that does not read all of its input loses no output", async () => {
    const input = `first\n${"x".repeat(79)}\n`.concat(`${"y".repeat(79)}\n`.repeat(50_000));
    for (let run = 0; run < 10; run++) {
      const flags = ["--rm", "-i", "--network", "none"];
      const { status, stdout } = await cli.run(["run", ...flags, image, "head", "-n", "1"], {
        input,
      });
      expect({ status, stdout }).toEqual({ status: 0, stdout: "first\n" });
    }
  });
});

async function pausedConnection(path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  socket.pause();
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve).once("error", reject);
  });
  return socket;
}
