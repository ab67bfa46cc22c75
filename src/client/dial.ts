import type { Connection } from "./connection.ts";
import { dialBun } from "./dial-bun.ts";
import type { Host } from "./host.ts";

/** Opens a connection to an engine; `unavailable` or `denied` when it cannot. */
export type Dial = (host: Host) => Promise<Connection>;

/** Connects by the cheapest means of this runtime; a Fault (`unavailable`, `denied`) says why it could not. */
export const dial: Dial = async (host) => {
  if (typeof Bun === "undefined") {
    const { dialNode } = await import("./dial-node.ts");
    return dialNode(host);
  }
  return dialBun(host);
};
