import { defined } from "#base";
import { formatHost } from "#client";
import type { BuildBody } from "#wire";
import type { Context } from "../context.ts";
import { extraHost, parseUlimit } from "../create-host.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import { keyValues } from "../key-values.ts";
import { sourceDateEpoch } from "../source-date.ts";
import type { buildFlags } from "../table/build.ts";
import { buildArguments } from "./build-arguments.ts";
import { attestationsOf } from "./build-attestations.ts";
import { readSecrets } from "./build-secrets.ts";

/** A request without what has to be sent first. */
export type RequestOptions = Omit<
  BuildBody,
  | ("context" | "contexts" | "dockerfile" | "dockerfileName" | "ignore")
  | ("outputs" | "cacheFrom" | "cacheTo")
>;

/** What the flags ask for; flags that have no meaning here are refused by name. */
export function requestOptions(context: Context, flags: Values<typeof buildFlags>): RequestOptions {
  refuseUnsupported(flags);
  const { env } = context;
  const filter = flags["no-cache-filter"];
  if (flags["no-cache"] && filter.length > 0) {
    throw fail("--no-cache and --no-cache-filter cannot currently be used together");
  }
  const epoch = sourceDateEpoch(env);
  return {
    buildArgs: {
      // As buildx: for a Dockerfile that says ARG SOURCE_DATE_EPOCH.
      ...(epoch === undefined ? {} : { SOURCE_DATE_EPOCH: String(epoch) }),
      ...proxies(context),
      ...Object.fromEntries(buildArguments(flags["build-arg"], env)),
    },
    labels: keyValues(flags.label),
    attestations: attestationsOf(flags),
    noCache: filter.length > 0 ? [...filter] : flags["no-cache"],
    pull: flags.pull,
    platforms: [...flags.platform],
    extraHosts: flags["add-host"].map(extraHost),
    ulimits: flags.ulimit.map((word) => parseUlimit(word)),
    secrets: readSecrets(flags.secret, env),
    tags: [...flags.tag],
    allow: [...flags.allow],
    explain: flags.explain,
    ...defined({
      target: flags.target,
      network: flags.network,
      shmSize: flags["shm-size"],
      cgroupParent: flags["cgroup-parent"],
      memory: flags.memory,
      memorySwap: flags["memory-swap"],
      cpuShares: flags["cpu-shares"],
      cpuPeriod: flags["cpu-period"],
      cpuQuota: flags["cpu-quota"],
      cpusetCpus: flags["cpuset-cpus"],
      cpusetMems: flags["cpuset-mems"],
      epoch,
    }),
  };
}

/** Of config.json; arguments that are given win. */
function proxies({ settings, host }: Context): Readonly<Record<string, string>> {
  return settings.proxies(formatHost(host.host));
}

function refuseUnsupported(flags: Values<typeof buildFlags>): void {
  if (flags.ssh.length === 0) return;
  throw fail(
    "--ssh is not supported: this version of thimble does not forward SSH agents; pass keys with --secret",
  );
}

function fail(why: string): Exit {
  return new Exit(1, `ERROR: failed to build: ${why}`);
}
