import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { networkModeOf } from "#container";
import { type HostsOptions, ownNames, parseExtraHost, renderHosts, resolvConfOf } from "#network";
import { addressesOf } from "../networks/endpoint-addresses.ts";
import { linkLines } from "../networks/links.ts";
import { hasNames } from "../networks/resolution.ts";
import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";
import { hostnameOf } from "./hostname.ts";
import { findJoined } from "./joined-container.ts";
import type { OpenSandbox } from "./sandbox.ts";

const noFiles: ContainerRecord["files"] = { hostname: "", hosts: "", resolvConf: "" };

/**
 * Where the files are that stand in /etc; a container that shares another's network shares its files,
 * and one whose other is missing has none, since it cannot start.
 */
export function containerFiles(
  parts: Parts<"paths" | "store">,
  record: ContainerRecord,
): ContainerRecord["files"] {
  const { host } = record;
  if (networkModeOf(host).kind === "container")
    return findJoined(parts, host.NetworkMode)?.files ?? noFiles;
  const directory = parts.paths.container(record.id);
  return {
    hostname: join(directory, "hostname"),
    hosts: join(directory, "hosts"),
    resolvConf: join(directory, "resolv.conf"),
  };
}

/** Writes hosts, hostname and resolv.conf of a container for one run; in place, since a bind mount follows the file and not its name. */
export async function writeContainerFiles(
  parts: Parts<"paths" | "networks" | "store" | "sandboxes">,
  record: ContainerRecord,
  sandbox: OpenSandbox,
): Promise<void> {
  const { host } = record;
  const mode = networkModeOf(host);
  if (mode.kind === "container") return;
  const files = containerFiles(parts, record);
  const extraHosts = await resolveExtraHosts(parts, host.ExtraHosts);
  writeFileSync(files.hostname, `${hostnameOf(record)}\n`);
  const links = linkLines(parts, record);
  const addresses = addressesOf(sandbox.stored.endpoints);
  writeFileSync(files.hosts, hostsText(record, { extraHosts, links, addresses }));
  writeFileSync(
    files.resolvConf,
    resolvConfOf(host, {
      isHost: mode.kind === "host",
      resolver: hasNames(parts, sandbox.stored.endpoints),
    }),
  );
}

/** "NAME:host-gateway" is the host as the bridge's containers see it, whatever the network mode. */
export async function resolveExtraHosts(
  parts: Parts<"networks">,
  extraHosts: readonly string[],
): Promise<readonly string[]> {
  if (!extraHosts.some((each) => each.endsWith(":host-gateway"))) return extraHosts;
  const { gateway } = await parts.networks.ready("bridge");
  return extraHosts.map((each) => each.replace(/:host-gateway$/, `:${gateway}`));
}

function hostsText(
  record: ContainerRecord,
  lines: Pick<HostsOptions, "addresses" | "links"> & { readonly extraHosts: readonly string[] },
): string {
  if (networkModeOf(record.host).kind === "host") {
    const extra = lines.extraHosts
      .map(parseExtraHost)
      .map((each) => `${each.address}\t${each.name}\n`);
    return [readText("/etc/hosts"), ...extra].join("");
  }
  return renderHosts({ ...lines, names: hostNames(record) });
}

/** The names that the container has for its own addresses. */
export function hostNames(record: ContainerRecord): readonly string[] {
  const { Domainname: domainname } = record.config;
  const hostname = hostnameOf(record);
  return ownNames(domainname === "" ? [hostname] : [`${hostname}.${domainname}`, hostname]);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
