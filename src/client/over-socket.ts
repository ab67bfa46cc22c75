import type { Socket } from "node:net";
import { brokenFault, type Connection, Inbox } from "./connection.ts";
import type { Host } from "./host.ts";

/** A connection over a socket of Node that is connected. */
export function overSocket(socket: Socket, host: Host): Connection {
  const inbox = new Inbox({ pause: () => socket.pause(), resume: () => socket.resume() });
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
