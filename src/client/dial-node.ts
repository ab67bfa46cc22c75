import { connect } from "node:net";
import { brokenFault, type Connection, connectionFault, Inbox } from "./connection.ts";
import type { Host } from "./host.ts";

/** A connection over node:net, for Node 20 and later. */
export async function dialNode(host: Host): Promise<Connection> {
  const socket = connect(
    host.kind === "unix"
      ? { path: host.path, allowHalfOpen: true }
      : { host: host.hostname, port: host.port, allowHalfOpen: true, noDelay: true },
  );
  const inbox = new Inbox({ pause: () => socket.pause(), resume: () => socket.resume() });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", (error) => reject(connectionFault(host, error)));
  });
  socket.on("data", (bytes: Buffer) => inbox.push(bytes));
  socket.on("end", () => inbox.finish());
  socket.on("close", () => inbox.finish());
  socket.on("error", (error) => inbox.finish(brokenFault(host, error.message)));
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => {
          if (error) reject(brokenFault(host, error.message));
          else resolve();
        });
      }),
    end: () => void socket.end(),
    read: () => inbox.read(),
    close: () => {
      inbox.finish();
      socket.destroy();
    },
  };
}
