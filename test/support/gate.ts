import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A container waits here until the test lets it go on, whichever engine serves it meanwhile. */
export class Gate implements Disposable {
  /** For sh(1) in the container. */
  static readonly wait = "until [ -e /gate/open ]; do sleep 0.01; done";
  readonly #directory = mkdtempSync(join(tmpdir(), "thimble-gate-"));
  /** For HostConfig.Binds. */
  readonly bind = `${this.#directory}:/gate:ro`;

  open(): void {
    writeFileSync(join(this.#directory, "open"), "");
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
