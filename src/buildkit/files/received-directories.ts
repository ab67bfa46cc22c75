import type { KeptDirectories } from "#engine";
import type { LeasedDirectory } from "../build/solver.ts";
import type { ClientSession } from "../session/client-session.ts";
import { type DirectoryRequest, receiveDirectory } from "./receive-directory.ts";
import { ReceivedDirectory } from "./received-directory.ts";

/** Opens the store of the engine's copies. */
export type OpenCopies = () => Promise<Pick<KeptDirectories, "take">>;

/**
 * The engine's copies of directories of clients. A copy that a crash left half received is looked at
 * anew, and completed by the next transfer.
 */
export class ReceivedDirectories {
  readonly #openCopies: OpenCopies;

  constructor(openCopies: OpenCopies) {
    this.#openCopies = openCopies;
  }

  /** Makes a copy equal to the client's directory; it is the caller's until that disposes of it. */
  async receive(session: ClientSession, request: DirectoryRequest): Promise<LeasedDirectory> {
    const kept = (await this.#openCopies()).take(keyOf(session, request));
    const { known } = kept;
    // Only what a whole transfer leaves is known.
    kept.known = undefined;
    try {
      const received =
        known instanceof ReceivedDirectory ? known : await ReceivedDirectory.open(kept.directory);
      try {
        await receiveDirectory(session, received, request);
      } catch (error) {
        received[Symbol.dispose]();
        throw error;
      }
      kept.known = received;
    } catch (error) {
      await kept[Symbol.asyncDispose]();
      throw error;
    }
    return kept;
  }
}

/** Clients that say no key have nothing in common with another session. */
function keyOf({ id, sharedKey }: ClientSession, { name, purpose = "" }: DirectoryRequest): string {
  const whose = sharedKey === "" ? ["session", id] : ["shared", sharedKey];
  return ["fsutil", ...whose, name, purpose].join("\0");
}
