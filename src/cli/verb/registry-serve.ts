import { collect } from "#base";
import { askPassword } from "../ask-password.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import type { RegistryServing } from "../registry-serving.ts";
import type {
  registryCollectFlags,
  registryPasswordFlags,
  registryServeFlags,
} from "../table/registry-server.ts";

const levels = ["debug", "info", "warn", "error"] as const;
const maxPassword = 4096;

export const registryServe: Verb<typeof registryServeFlags> = async (context, { flags }) => {
  const word = flags["log-level"] ?? "info";
  const logLevel = levels.find((level) => level === word);
  if (!logLevel) {
    const known = levels.join(", ");
    throw new Exit(125, `invalid argument "${word}" for "-l, --log-level" flag: use ${known}`);
  }
  return (await serving(context)).serve({ ...servedBy(context, flags), logLevel });
};

/** What the flags of `registry serve` ask for: times in seconds, sizes in bytes. The contract with `local` is this type. */
export function servedBy(context: Context, flags: Values<typeof registryServeFlags>) {
  return {
    address: flags.addr ?? "127.0.0.1:5000",
    root: rootOf(context, flags.root),
    hostNames: flags["host-name"],
    htpasswd: flags.htpasswd,
    access: flags.access,
    token: flags.token,
    tokenService: flags["token-service"],
    tokenRealm: flags["token-realm"],
    tokenIssuer: flags["token-issuer"],
    tokenCerts: flags["token-certs"],
    tlsCert: flags["tls-cert"],
    tlsKey: flags["tls-key"],
    tlsOwn: flags["tls-own"],
    tlsNames: flags["tls-name"],
    proxy: flags.proxy,
    proxyLogin: flags["proxy-login"],
    proxySeconds: seconds(flags["proxy-ttl"]),
    proxyBytes: flags["proxy-size"],
    s3: flags.s3,
    s3Endpoint: flags["s3-endpoint"],
    s3Region: flags["s3-region"],
    metrics: flags.metrics,
    web: flags.web,
    gcSeconds: seconds(flags["gc-interval"]),
    graceSeconds: seconds(flags["gc-grace"]),
    deleteUntagged: flags["delete-untagged"],
  };
}

export const registryCollect: Verb<typeof registryCollectFlags> = async (context, { flags }) =>
  (await serving(context)).collect({
    root: rootOf(context, flags.root),
    s3: flags.s3,
    s3Endpoint: flags["s3-endpoint"],
    s3Region: flags["s3-region"],
    dryRun: flags["dry-run"],
    deleteUntagged: flags["delete-untagged"],
    graceSeconds: seconds(flags["gc-grace"]) ?? 3600,
    json: flags.json,
  });

export const registryPassword: Verb<typeof registryPasswordFlags> = async (
  context,
  { flags, args: [file = "", user = ""] },
) => {
  const password = flags.delete ? undefined : await newPassword(context, flags["password-stdin"]);
  return (await serving(context)).setPassword({ file, user, password });
};

async function newPassword(context: Context, isPiped: boolean): Promise<string> {
  if (isPiped) {
    const bytes = await collect(context.stdin.read(), maxPassword, "the password");
    return bytes.toString().replace(/\r?\n$/, "");
  }
  const first = await askPassword(context, "New password: ");
  if ((await askPassword(context, "Again: ")) === first) return first;
  throw new Exit(1, "the two passwords differ; nothing was changed");
}

async function serving(context: Context): Promise<RegistryServing> {
  const { configDirectory, userCredentials } = await import("#client");
  const { env, out } = context;
  const credentials = userCredentials(configDirectory(env), env);
  return await context.options.local.registryServing({ out, env, credentials });
}

function rootOf({ env }: Context, root: string | undefined): string {
  return root ?? `${env.THIMBLE_DATA_ROOT || "/var/lib/thimble"}/registry`;
}

/** Of what a duration flag gives: nanoseconds. */
function seconds(nanoseconds: number | undefined): number | undefined {
  return nanoseconds === undefined ? undefined : nanoseconds / 1e9;
}
