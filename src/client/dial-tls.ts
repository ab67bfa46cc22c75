import { readFile } from "node:fs/promises";
import { connect } from "node:tls";
import { Fault } from "#base";
import { type Connection, connectionFault } from "./connection.ts";
import { formatHost, type Host } from "./host.ts";
import { overSocket } from "./over-socket.ts";
import type { ClientTls } from "./tls-choice.ts";

type TlsHost = Extract<Host, { kind: "tcp" }> & { readonly tls: ClientTls };

/**
 * A connection over TLS. `invalid` when a file of it cannot be read; `unavailable` when the engine
 * is not the one that its certificate is asked to show.
 */
export async function dialTls(host: TlsHost): Promise<Connection> {
  const { hostname, port, tls } = host;
  const [ca, cert, key] = await Promise.all([tls.caFile, tls.certFile, tls.keyFile].map(read));
  const socket = connect({
    host: hostname,
    port,
    ...(/^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname }),
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    rejectUnauthorized: tls.verify,
    allowHalfOpen: true,
  } as Parameters<typeof connect>[0]);
  socket.setNoDelay(true);
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", (error) => reject(tlsFault(host, error)));
    socket.once("close", () =>
      reject(tlsFault(host, new Error("the engine closed the connection"))),
    );
  });
  return overSocket(socket, host);
}

async function read(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return await readFile(path, "utf8").catch((cause: Error) => {
    throw new Fault("invalid", `cannot read ${path}, a file of TLS: ${cause.message}`, {
      about: path,
      cause,
    });
  });
}

/** What the codes of certificates mean, for users. */
function tlsFault(host: Host, error: Error & { readonly code?: unknown }): Fault {
  const code = String(error.code ?? "");
  const where = formatHost(host);
  const detail = { about: where, cause: error };
  if (/^(ECONN|ENOENT|ENOTFOUND|EACCES|ETIMEDOUT|EHOST|ENET)/.test(code))
    return connectionFault(host, error);
  if (/UNABLE_TO|SELF_SIGNED|CERT_|ALTNAME/.test(code)) {
    return new Fault(
      "unavailable",
      `the engine at ${where} does not show a certificate that is to be trusted: ${error.message}; is --tlscacert its authority, and ${"hostname" in host ? host.hostname : ""} a name in its certificate?`,
      detail,
    );
  }
  return new Fault(
    "unavailable",
    `cannot speak TLS with the engine at ${where}: ${error.message || code}; does it ask for another certificate (--tlscert, --tlskey), or speak plain HTTP?`,
    detail,
  );
}
