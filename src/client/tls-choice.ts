import { existsSync } from "node:fs";
import { join } from "node:path";
import { configDirectory } from "./open-docker-config.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** How a client speaks TLS; paths of files in PEM. */
export interface ClientTls {
  /** The authority of the engine's certificate; absent: those that the system trusts. */
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** Whether the engine's certificate is checked. */
  readonly verify: boolean;
}

/** Docker's flags of TLS; undefined: not given. */
export interface TlsFlags {
  readonly tls?: boolean | undefined;
  readonly tlsverify?: boolean | undefined;
  readonly tlscacert?: string | undefined;
  readonly tlscert?: string | undefined;
  readonly tlskey?: string | undefined;
}

/**
 * As Docker's CLI: `--tls` speaks TLS and checks nothing, `--tlsverify` and DOCKER_TLS_VERIFY (any
 * text) check the engine's certificate; files are those of the flags, else in DOCKER_CERT_PATH, else
 * beside config.json. A client's own certificate may be missing there. Undefined: plain HTTP.
 */
export function resolveTls(flags: TlsFlags, env: Env): ClientTls | undefined {
  const verify = flags.tlsverify ?? Boolean(env.DOCKER_TLS_VERIFY);
  const isTls = verify || (flags.tls ?? Boolean(env.DOCKER_TLS));
  if (!isTls) return undefined;
  const directory = env.DOCKER_CERT_PATH || configDirectory(env);
  const usual = (name: string) => {
    const path = join(directory, name);
    return existsSync(path) ? path : undefined;
  };
  return {
    verify,
    caFile: verify ? (flags.tlscacert ?? join(directory, "ca.pem")) : undefined,
    certFile: flags.tlscert ?? usual("cert.pem"),
    keyFile: flags.tlskey ?? usual("key.pem"),
  };
}
