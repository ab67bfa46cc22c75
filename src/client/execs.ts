import type { ExecCreateBody, ExecCreateResponse, ExecInspect } from "#wire";
import type { AttachedStream } from "./attached-stream.ts";
import type { Transport } from "./transport.ts";

/** /exec of the Docker Engine API. */
export class ExecsClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * POST /containers/ID/exec: notes a program to run. `conflict` when the container is not running.
   */
  create(ref: string, body: ExecCreateBody): Promise<ExecCreateResponse> {
    return this.#transport.json({
      method: "POST",
      path: `/containers/${encodeURIComponent(ref)}/exec`,
      json: body,
    });
  }

  /** Starts it with its input and output on this stream. */
  start(
    id: string,
    options: {
      readonly tty: boolean;
      readonly size?: readonly [rows: number, columns: number] | undefined;
    },
  ): Promise<AttachedStream> {
    return this.#transport.attach({
      method: "POST",
      path: `/exec/${id}/start`,
      json: { Detach: false, Tty: options.tty, ConsoleSize: options.size },
    });
  }

  /** Starts it without its streams; settles once the program runs. */
  async startDetached(id: string, options: { readonly tty: boolean }): Promise<void> {
    await this.#transport.done({
      method: "POST",
      path: `/exec/${id}/start`,
      json: { Detach: true, Tty: options.tty },
    });
  }

  /** Sets the size of its terminal in characters; `conflict` when it is not running. */
  async resize(
    id: string,
    size: { readonly rows: number; readonly columns: number },
  ): Promise<void> {
    const query = { h: size.rows, w: size.columns };
    await this.#transport.done({ method: "POST", path: `/exec/${id}/resize`, query });
  }

  /** GET /exec/ID/json. */
  inspect(id: string): Promise<ExecInspect> {
    return this.#transport.json({ method: "GET", path: `/exec/${id}/json` });
  }
}
