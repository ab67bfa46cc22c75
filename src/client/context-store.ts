import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Fault } from "#base";
import { readCliSettings } from "./cli-settings.ts";
import { configDirectory } from "./open-docker-config.ts";
import type { ClientTls } from "./tls-choice.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** A context as Docker keeps it: the name of an engine, and how to reach it. */
export interface DockerContext {
  readonly name: string;
  readonly description: string;
  /** As -H takes it. */
  readonly host: string;
  readonly skipTlsVerify: boolean;
}

/** The files of TLS that a context may have. */
export const tlsFiles = ["ca.pem", "cert.pem", "key.pem"] as const;
/** Their contents. */
export type TlsMaterial = Readonly<Partial<Record<(typeof tlsFiles)[number], string>>>;

interface Meta {
  readonly Name?: unknown;
  readonly Metadata?: { readonly Description?: unknown };
  readonly Endpoints?: {
    readonly docker?: { readonly Host?: unknown; readonly SkipTLSVerify?: unknown };
  };
}

const nameForm = /^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/;

/**
 * Docker's contexts, in its files: contexts/meta/ID/meta.json and contexts/tls/ID/docker/*.pem
 * beside config.json, where ID is the SHA-256 of the name. "default" is no file: it stands for the
 * variables and the usual socket.
 */
export class ContextStore {
  readonly #directory: string;

  constructor(env: Env) {
    this.#directory = join(configDirectory(env), "contexts");
  }

  /** In the order of their names. */
  all(): readonly DockerContext[] {
    const meta = join(this.#directory, "meta");
    const ids = existsSync(meta) ? readdirSync(meta) : [];
    const found = ids.flatMap((id) => {
      const path = join(meta, id, "meta.json");
      return existsSync(path) ? [readContext(path)] : [];
    });
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Whether a context of the name is stored. */
  has(name: string): boolean {
    return existsSync(join(this.metadataPath(name), "meta.json"));
  }

  /** `not_found` in Docker's words. */
  get(name: string): DockerContext {
    const path = join(this.metadataPath(name), "meta.json");
    if (existsSync(path)) return readContext(path);
    throw new Fault(
      "not_found",
      `context "${name}": context not found: open ${path}: no such file or directory`,
      { about: name },
    );
  }

  /** The contents of its files of TLS. */
  tls(name: string): TlsMaterial {
    const directory = join(this.tlsPath(name), "docker");
    const found = tlsFiles.filter((file) => existsSync(join(directory, file)));
    return Object.fromEntries(
      found.map((file) => [file, readFileSync(join(directory, file), "utf8")]),
    );
  }

  /** Writes a context anew: its certificates first, so that a crash leaves none that lacks them. */
  write(context: DockerContext, tls: TlsMaterial): void {
    checkContextName(context.name);
    const { name, description, host, skipTlsVerify } = context;
    rmSync(this.tlsPath(name), { recursive: true, force: true });
    const directory = join(this.tlsPath(name), "docker");
    for (const [file, text] of Object.entries(tls)) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      writeFileSync(join(directory, file), text, { mode: 0o600 });
    }
    const meta = {
      Name: name,
      Metadata: description === "" ? {} : { Description: description },
      Endpoints: { docker: { Host: host, SkipTLSVerify: skipTlsVerify } },
    };
    mkdirSync(this.metadataPath(name), { recursive: true });
    const path = join(this.metadataPath(name), "meta.json");
    writeFileSync(`${path}.new`, JSON.stringify(meta));
    renameSync(`${path}.new`, path);
  }

  /** Removes a context with its files; one that is missing is no failure. */
  remove(name: string): void {
    for (const path of [this.metadataPath(name), this.tlsPath(name)])
      rmSync(path, { recursive: true, force: true });
  }

  /** The directory of its meta.json. */
  metadataPath(name: string): string {
    return join(this.#directory, "meta", idOf(name));
  }

  /** The directory of its files of TLS. */
  tlsPath(name: string): string {
    return join(this.#directory, "tls", idOf(name));
  }
}

function idOf(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

function readContext(path: string): DockerContext {
  try {
    return parseContext(readFileSync(path, "utf8"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("invalid", `the context in ${path} cannot be read: ${why}`, {
      about: path,
      cause,
    });
  }
}

/** A context from the text of its meta.json; fields that are missing are empty. */
export function parseContext(text: string): DockerContext {
  const meta = JSON.parse(text) as Meta;
  const { docker = {} } = meta.Endpoints ?? {};
  const textOf = (value: unknown) => (typeof value === "string" ? value : "");
  return {
    name: textOf(meta.Name),
    description: textOf(meta.Metadata?.Description),
    host: textOf(docker.Host),
    skipTlsVerify: docker.SkipTLSVerify === true,
  };
}

/** `invalid` in Docker's words for a name that it would not take. */
export function checkContextName(name: string): void {
  if (nameForm.test(name)) return;
  throw new Fault(
    "invalid",
    `context name "${name}" is invalid, names are validated against regexp "${nameForm.source}"`,
    { about: name },
  );
}

/** How the engine of a context is reached. `not_found` without one. */
export function contextHost(
  name: string,
  env: Env,
): { readonly host: string; readonly tls: ClientTls | undefined } {
  const store = new ContextStore(env);
  const { host, skipTlsVerify } = store.get(name);
  const directory = join(store.tlsPath(name), "docker");
  const fileOf = (file: (typeof tlsFiles)[number]) => {
    const path = join(directory, file);
    return existsSync(path) ? path : undefined;
  };
  const [caFile, certFile, keyFile] = tlsFiles.map(fileOf);
  // As Docker's CLI: a context without a file and without the wish to skip checks is plain HTTP.
  const isTls = skipTlsVerify || Boolean(caFile || certFile || keyFile);
  return { host, tls: isTls ? { caFile, certFile, keyFile, verify: !skipTlsVerify } : undefined };
}

/** The context that DOCKER_CONTEXT names, else config.json; undefined when it is the default one. */
export function currentContext(env: Env): string | undefined {
  if (env.DOCKER_CONTEXT) return env.DOCKER_CONTEXT;
  return readCliSettings(env).currentContext;
}
