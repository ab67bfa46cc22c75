import { readFileSync, writeFileSync } from "node:fs";
import { hostname as hostHostname } from "node:os";
import { join } from "node:path";
import { defined, shortId } from "#base";
import { networkModeOf } from "#container";
import { parseExtraHost, readHostResolvConf, renderHosts, renderResolvConf } from "#network";
import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";
import { joinedContainer, type OpenSandbox } from "./sandbox.ts";

/** The name the container has: its own, else its short id, or the host's where it shares the host's. */
export function hostnameOf(record: ContainerRecord): string {
  if (record.config.Hostname !== "") return record.config.Hostname;
  const isHosts = networkModeOf(record.host).kind === "host" || record.host.UTSMode === "host";
  return isHosts ? hostHostname() : shortId(record.id);
}

/** Where the files are that stand in /etc; a container that shares another's network shares its files. */
export function containerFiles(
  parts: Parts<"paths" | "store">,
  record: ContainerRecord,
): ContainerRecord["files"] {
  const { host } = record;
  if (networkModeOf(host).kind === "container")
    return joinedContainer(parts, host.NetworkMode).files;
  const directory = parts.paths.container(record.id);
  return {
    hostname: join(directory, "hostname"),
    hosts: join(directory, "hosts"),
    resolvConf: join(directory, "resolv.conf"),
  };
}

/** Writes hosts, hostname and resolv.conf of a container for one run; in place, since a bind mount follows the file and not its name. */
export async function writeContainerFiles(
  parts: Parts<"paths" | "networks" | "store">,
  record: ContainerRecord,
  sandbox: OpenSandbox,
): Promise<void> {
  const { host } = record;
  const mode = networkModeOf(host);
  if (mode.kind === "container") return;
  const files = containerFiles(parts, record);
  const extraHosts = await resolveExtraHosts(parts, host.ExtraHosts);
  writeFileSync(files.hostname, `${hostnameOf(record)}\n`);
  writeFileSync(files.hosts, hostsText(record, extraHosts, sandbox.stored.endpoints[0]?.address));
  writeFileSync(
    files.resolvConf,
    renderResolvConf({
      host: readHostResolvConf(),
      dns: host.Dns,
      search: host.DnsSearch,
      options: host.DnsOptions,
      sharesHost: mode.kind === "host",
    }),
  );
}

/** "NAME:host-gateway" is the host as the bridge's containers see it, whatever the network mode. */
async function resolveExtraHosts(
  parts: Parts<"networks">,
  extraHosts: readonly string[],
): Promise<readonly string[]> {
  if (!extraHosts.some((each) => each.endsWith(":host-gateway"))) return extraHosts;
  const { gateway } = await parts.networks.ready("bridge");
  return extraHosts.map((each) => each.replace(/:host-gateway$/, `:${gateway}`));
}

function hostsText(
  record: ContainerRecord,
  extraHosts: readonly string[],
  address: string | undefined,
): string {
  if (networkModeOf(record.host).kind === "host") {
    const extra = extraHosts.map(parseExtraHost).map((each) => `${each.address}\t${each.name}\n`);
    return [readText("/etc/hosts"), ...extra].join("");
  }
  const { Domainname: domainname } = record.config;
  const hostname = hostnameOf(record);
  return renderHosts({
    ...defined({ address: address || undefined }),
    names: domainname === "" ? [hostname] : [`${hostname}.${domainname}`, hostname],
    extraHosts,
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
