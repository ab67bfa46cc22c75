import { connect } from "node:net";
import { type Connection, connectionFault } from "./connection.ts";
import type { DirectHost } from "./host.ts";
import { overSocket } from "./over-socket.ts";

/** A connection over node:net, for Node 20 and later. */
export async function dialNode(host: DirectHost): Promise<Connection> {
  const socket = connect(
    host.kind === "unix"
      ? { path: host.path, allowHalfOpen: true }
      : { host: host.hostname, port: host.port, allowHalfOpen: true, noDelay: true },
  );
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", (error) => reject(connectionFault(host, error)));
  });
  return overSocket(socket, host);
}
