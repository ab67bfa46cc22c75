import { connect, type Socket } from "node:net";

/** A connection to a unix socket on which a test writes and reads bytes as they are. */
export interface RawClient {
  send(text: string | Uint8Array): void;
  /** Resolves once `wanted` has come; rejects when the other side ends before. */
  until(wanted: string): Promise<string>;
  /** Everything up to the end. */
  rest(): Promise<string>;
  /** Reads no more. */
  pause(): void;
  halfClose(): void;
  destroy(): void;
}

/** The bytes are read as Latin-1, so that frames can be compared as text. */
export async function rawClient(path: string): Promise<RawClient> {
  const opened = Promise.withResolvers<Socket>();
  const socket = connect({ path, allowHalfOpen: true }, () => opened.resolve(socket));
  socket.once("error", opened.reject);
  await opened.promise;
  let received = "";
  let ended = false;
  let changed = Promise.withResolvers<void>();
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
    change();
  });
  for (const event of ["end", "close", "error"])
    socket.on(event, () => {
      ended = true;
      change();
    });
  return {
    send: (bytes) => void socket.write(bytes),
    async until(wanted) {
      while (!received.includes(wanted)) {
        if (ended) throw new Error(`the connection ended before ${wanted}: ${received}`);
        await changed.promise;
      }
      return received;
    },
    async rest() {
      while (!ended) await changed.promise;
      return received;
    },
    pause: () => void socket.pause(),
    halfClose: () => void socket.end(),
    destroy: () => void socket.destroy(),
  };
}
