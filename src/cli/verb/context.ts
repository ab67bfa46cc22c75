import { Fault, isFault } from "#base";
import {
  ContextStore,
  checkContextName,
  contextName,
  currentContext,
  type DockerContext,
  formatHost,
  openDockerConfig,
  parseHost,
  resolveHost,
  type TlsMaterial,
  tlsFiles,
} from "#client";
import type { Invocation, Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { printListing } from "../listing.ts";
import { readText } from "../local-file.ts";
import type {
  contextCreateFlags,
  contextLsFlags,
  contextRmFlags,
  contextUpdateFlags,
} from "../table/contexts.ts";

type NoFlags = Record<never, never>;
type Pairs = Readonly<Record<string, string>>;

interface Reach {
  readonly host: string;
  readonly skipTlsVerify: boolean;
  readonly tls: TlsMaterial;
}

export const contextCreate: Verb<typeof contextCreateFlags> = async (context, { flags, args }) => {
  const [name = ""] = args;
  const store = new ContextStore(context.env);
  refuseTaken(store, name);
  const { from, docker } = flags;
  const isCopy = Object.keys(docker).length === 0;
  if (from && !isCopy) throw new Fault("invalid", "cannot use --docker flag when --from is set");
  const source = isCopy ? contextNamed(context, store, from || "default") : undefined;
  const reach = isCopy
    ? reachOf(context, store, from || "default")
    : readReach(context, store, docker);
  const { host, skipTlsVerify, tls } = reach;
  const description = flags.description ?? source?.description ?? "";
  store.write({ name, description, host, skipTlsVerify }, tls);
  await context.out.write(`${name}\n`);
  await context.err.write(`Successfully created context "${name}"\n`);
  return 0;
};

export const contextUpdate: Verb<typeof contextUpdateFlags> = async (context, { flags, args }) => {
  const [name = ""] = args;
  const store = new ContextStore(context.env);
  const before = store.get(name);
  const { docker } = flags;
  const isKept = Object.keys(docker).length === 0;
  const reach = isKept ? { ...before, tls: store.tls(name) } : readReach(context, store, docker);
  const { host, skipTlsVerify, tls } = reach;
  const description = flags.description ?? before.description;
  store.write({ name, description, host, skipTlsVerify }, tls);
  await context.out.write(`${name}\n`);
  await context.err.write(`Successfully updated context "${name}"\n`);
  return 0;
};

/** Refuses the name of a new context that cannot be one, or is one already. */
export function refuseTaken(store: ContextStore, name: string): void {
  if (name === "default")
    throw new Fault("invalid", '"default" is a reserved context name', { about: name });
  checkContextName(name);
  if (store.has(name))
    throw new Fault("exists", `context "${name}" already exists`, { about: name });
}

/** A context by its name; "default" is made from the variables and flags of this call. */
export function contextNamed(context: Context, store: ContextStore, name: string): DockerContext {
  if (name !== "default") return store.get(name);
  const { host, tls } = context.hostFlags;
  const { env } = context;
  const choice = resolveHost({
    flags: host ? { host, tls } : {},
    env: { ...env, DOCKER_CONTEXT: "default" },
  });
  return {
    name,
    description: "Current DOCKER_HOST based configuration",
    host: formatHost(choice.host),
    skipTlsVerify: choice.host.kind === "tcp" && choice.host.tls?.verify === false,
  };
}

function reachOf(context: Context, store: ContextStore, name: string): Reach {
  const { host, skipTlsVerify } = contextNamed(context, store, name);
  if (name !== "default") return { host, skipTlsVerify, tls: store.tls(name) };
  const { host: target } = resolveHost({ env: { ...context.env, DOCKER_CONTEXT: "default" } });
  const { caFile, certFile, keyFile } = (target.kind === "tcp" && target.tls) || {};
  return { host, skipTlsVerify, tls: readMaterial([caFile, certFile, keyFile]) };
}

const reachKeys = ["from", "host", "ca", "cert", "key", "skip-tls-verify"];

/** What `--docker` says; nothing is written when a file is missing or a key unknown. */
function readReach(context: Context, store: ContextStore, pairs: Pairs): Reach {
  const unknown = Object.keys(pairs).find((key) => !reachKeys.includes(key));
  const fail = (why: string) =>
    new Fault("invalid", `unable to create docker endpoint config: ${why}`);
  if (unknown !== undefined) throw fail(`unrecognized config key: ${unknown}`);
  if (pairs.from) return reachOf(context, store, pairs.from);
  const { host = "", ca, cert, key } = pairs;
  const skip = pairs["skip-tls-verify"] ?? "false";
  if (!/^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(skip))
    throw fail(`skip-tls-verify: parsing "${skip}": invalid syntax`);
  try {
    parseHost(host);
    return { host, skipTlsVerify: /^[1tT]/.test(skip), tls: readMaterial([ca, cert, key]) };
  } catch (cause) {
    if (isFault(cause)) throw fail(cause.message);
    throw cause;
  }
}

/** The texts of the authority, the certificate and the key. */
function readMaterial(paths: readonly (string | undefined)[]): TlsMaterial {
  const entries = tlsFiles.flatMap((file, index) => {
    const path = paths[index];
    return path ? [[file, readText(path)] as const] : [];
  });
  return Object.fromEntries(entries);
}

const heads = {
  Name: "NAME",
  // Without a column of its own, and asked for by the table.
  Current: "",
  Description: "DESCRIPTION",
  DockerEndpoint: "DOCKER ENDPOINT",
  Error: "ERROR",
};
const table =
  "table {{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}";

export const contextLs: Verb<typeof contextLsFlags> = async (context, { flags }) => {
  const store = new ContextStore(context.env);
  const current = contextName({ flags: context.hostFlags, env: context.env });
  const all = [...store.all(), contextNamed(context, store, "default")];
  const rows = all
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, description, host }) => ({
      Name: name,
      Current: name === current,
      Description: description,
      DockerEndpoint: host,
      Error: "",
    }));
  if (flags.quiet) await context.out.write(rows.map(({ Name }) => `${Name}\n`).join(""));
  else await printListing(context, { table, heads, rows }, flags);
  await warnOfVariable(context, "");
  return 0;
};

export const contextShow: Verb<NoFlags> = async ({ hostFlags: flags, env, out }) => {
  await out.write(`${contextName({ flags, env })}\n`);
  return 0;
};

export const contextUse: Verb<NoFlags> = async (context, { args }) => {
  const [name = ""] = args;
  if (name !== "default") new ContextStore(context.env).get(name);
  const config = await openDockerConfig(context.env);
  await config.useContext(name === "default" ? undefined : name);
  await context.out.write(`${name}\n`);
  await context.err.write(`Current context is now "${name}"\n`);
  if (name !== "default") await warnOfVariable(context, name);
  return 0;
};

async function warnOfVariable({ env, err }: Context, name: string): Promise<void> {
  const variable = env.THIMBLE_HOST ? "THIMBLE_HOST" : env.DOCKER_HOST ? "DOCKER_HOST" : undefined;
  if (variable === undefined) return;
  await err.write(
    `Warning: ${variable} environment variable overrides the active context. To use ${name ? `"${name}"` : "a context"}, either set the global --context flag, or unset ${variable} environment variable.\n`,
  );
}

export const contextRm: Verb<typeof contextRmFlags> = async (context, { flags, args }) => {
  const { env, out } = context;
  return await removeEach(context, { flags, args }, async ({ name, isCurrent }) => {
    if (isCurrent) await (await openDockerConfig(env)).useContext(undefined);
    new ContextStore(env).remove(name);
    await out.write(`${name}\n`);
  });
};

export const rehearseContextRm: Verb<typeof contextRmFlags> = (context, { flags, args }) =>
  removeEach(context, { flags, args }, async ({ name, isCurrent }) => {
    const then = isCurrent ? ", and use default from then on" : "";
    await context.out.write(`would remove context ${name}${then}\n`);
  });

/** Calls `remove` for each context that may be removed, and then says why others may not. */
async function removeEach(
  { env }: Context,
  { flags, args }: Pick<Invocation<typeof contextRmFlags>, "flags" | "args">,
  remove: (context: { readonly name: string; readonly isCurrent: boolean }) => Promise<void>,
): Promise<number> {
  const store = new ContextStore(env);
  const failures: string[] = [];
  for (const name of args) {
    const isCurrent = name === currentContext({ ...env, DOCKER_CONTEXT: "" });
    if (name === "default") failures.push('context "default" cannot be removed');
    else if (!store.has(name) && !flags.force) failures.push(`context "${name}" does not exist`);
    else if (isCurrent && !flags.force)
      failures.push(`context "${name}" is in use, set -f flag to force remove`);
    else await remove({ name, isCurrent });
  }
  if (failures.length > 0) throw new Exit(1, failures.join("\n"));
  return 0;
}

/** A context as `inspect` shows it. */
export function describeContext(context: Context, name: string): unknown {
  const store = new ContextStore(context.env);
  const isDefault = name === "default";
  const { description, host, skipTlsVerify } = contextNamed(context, store, name);
  const files = isDefault ? [] : Object.keys(store.tls(name));
  return {
    Name: name,
    Metadata: description && !isDefault ? { Description: description } : {},
    Endpoints: { docker: { Host: host, SkipTLSVerify: skipTlsVerify } },
    TLSMaterial: files.length > 0 ? { docker: files } : {},
    Storage: {
      MetadataPath: isDefault ? "<IN MEMORY>" : store.metadataPath(name),
      TLSPath: isDefault ? "<IN MEMORY>" : store.tlsPath(name),
    },
  };
}

/** The contexts that `inspect` shows without a name. */
export function shownContexts(
  { hostFlags: flags, env }: Context,
  names: readonly string[],
): readonly string[] {
  return names.length > 0 ? names : [contextName({ flags, env })];
}
