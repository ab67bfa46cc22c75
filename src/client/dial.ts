import type { Connection } from "./connection.ts";
import { dialBun } from "./dial-bun.ts";
import type { Host } from "./host.ts";

/** Opens a connection to an engine; `unavailable` or `denied` when it cannot. */
export type Dial = (host: Host) => Promise<Connection>;

/** Connects by the cheapest means of this runtime; a Fault (`unavailable`, `denied`) says why it could not. */
export const dial: Dial = async (host) => {
  if (host.kind === "ssh") return (await import("./dial-ssh.ts")).dialSsh(host);
  if (host.kind === "tcp" && host.tls) {
    const { tls } = host;
    return (await import("./dial-tls.ts")).dialTls({ ...host, tls });
  }
  if (typeof Bun === "undefined") return (await import("./dial-node.ts")).dialNode(host);
  return dialBun(host);
};
