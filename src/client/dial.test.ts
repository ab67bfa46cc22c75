import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { outcome, rejection } from "../base/testing.ts";
import { dialBun } from "./dial-bun.ts";
import { dialNode } from "./dial-node.ts";
import type { DirectHost } from "./host.ts";

const directory = mkdtempSync("/tmp/thimble-dial-");
afterAll(() => rmSync(directory, { recursive: true }));
let next = 0;

async function listen(
  serve: (socket: Socket) => void,
): Promise<{ host: DirectHost; server: Server }> {
  const path = join(directory, `${next++}.sock`);
  const server = createServer({ allowHalfOpen: true }, serve);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { host: { kind: "unix", path }, server };
}

describe.each([
  ["Bun", dialBun],
  ["node:net", dialNode],
])("over %s", (_, dial) => {
  test("half-closes: bytes that the peer sends after our end still arrive", async () => {
    const { host, server } = await listen((socket) => {
      let size = 0;
      socket.on("data", (bytes: Buffer) => {
        size += bytes.byteLength;
      });
      socket.on("end", () => socket.end(`got ${size}`));
    });
    const connection = await dial(host);
    const megabytes = new Uint8Array(3 << 20);
    // More than the kernel's buffer holds, in two writes that overlap.
    await Promise.all([connection.write(megabytes), connection.write(Buffer.from("end"))]);
    connection.end();
    let text = "";
    for (let bytes = await connection.read(); bytes; bytes = await connection.read()) {
      text += Buffer.from(bytes).toString();
    }
    expect(text).toBe(`got ${(3 << 20) + 3}`);
    connection.close();
    server.close();
  });

  test("takes no more from the socket than its reader asks for", async () => {
    const total = 8 << 20;
    let sent = 0;
    const { host, server } = await listen((socket) => {
      const chunk = Buffer.alloc(64 * 1024, "x");
      const push = () => {
        while (sent < total) {
          sent += chunk.byteLength;
          if (!socket.write(chunk)) return void socket.once("drain", push);
        }
        socket.end();
      };
      push();
    });
    const connection = await dial(host);
    await connection.read();
    // Turns of the event loop in which everything that can flow does.
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
    expect(sent).toBeLessThan(total);
    let read = 0;
    for (let bytes = await connection.read(); bytes; bytes = await connection.read()) {
      read += bytes.byteLength;
    }
    expect(read).toBeGreaterThan(total - (1 << 20));
    expect(sent).toBe(total);
    server.close();
  });

  test("closing ends a read that waits, and refuses writes", async () => {
    const { host, server } = await listen(() => undefined);
    const connection = await dial(host);
    const waiting = connection.read();
    connection.close();
    expect(await waiting).toBeUndefined();
    expect(await rejection(connection.write(Buffer.from("x")))).toMatchObject({
      code: "unavailable",
    });
    server.close();
  });

  test("says why it cannot connect", async () => {
    const absent: DirectHost = { kind: "unix", path: join(directory, "absent") };
    expect(await rejection(dial(absent))).toMatchObject({ code: "unavailable", errno: "ENOENT" });
    const deaf: DirectHost = { kind: "unix", path: import.meta.path };
    expect(await rejection(dial(deaf))).toMatchObject({ errno: "ECONNREFUSED" });
    expect(await outcome(dial(deaf))).toThrow("nothing listens there");
  });
});
