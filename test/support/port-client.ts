import { connect, type Socket } from "node:net";

/** What a container runs that answers each line of a connection with the same line. */
export const echoServer = "nc -ll -p 80 -e cat";

/** What a server at a port says when it is asked; asked again until it answers. */
export async function askUntilAnswered(port: number, host = "127.0.0.1"): Promise<string> {
  for (;;) {
    using line = new Line(port, host);
    const answer = await line.ask("ready?").catch(() => "");
    if (answer !== "") return answer;
    await Bun.sleep(20);
  }
}

/** A connection to an echo server that stays open. */
export class Line implements Disposable {
  readonly #socket: Socket;
  #waiting: PromiseWithResolvers<string> | undefined;
  #fault: Error | undefined;

  constructor(port: number, host = "127.0.0.1") {
    this.#socket = connect({ port, host });
    this.#socket.on("data", (bytes) => this.#waiting?.resolve(String(bytes).trim()));
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Error("the connection was closed")));
  }

  /** Sends a line and gives the one that comes back; rejects once the connection is over. */
  ask(text: string): Promise<string> {
    const waiting = Promise.withResolvers<string>();
    if (this.#fault) waiting.reject(this.#fault);
    this.#waiting = waiting;
    this.#socket.write(`${text}\n`);
    return waiting.promise;
  }

  #fail(error: Error): void {
    this.#fault ??= error;
    this.#waiting?.reject(this.#fault);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
