import { readFileSync, writeFileSync } from "node:fs";
import { hostname as hostHostname } from "node:os";
import { join } from "node:path";
import { shortId } from "#base";
import { readHostResolvConf, renderHosts, renderResolvConf } from "#network";
import type { ContainerRecord } from "./container-record.ts";
import type { EngineParts } from "./parts.ts";
import { joinedContainer, type Sandbox } from "./sandbox.ts";

/** The name the container has: its own, else its short id, or the host's where it shares the host's. */
export function hostnameOf(record: ContainerRecord): string {
  if (record.config.hostname !== "") return record.config.hostname;
  const { networkMode, utsMode } = record.host;
  return networkMode === "host" || utsMode === "host" ? hostHostname() : shortId(record.id);
}

/** Where the files are that stand in /etc; a container that shares another's network shares its files. */
export function containerFiles(
  parts: EngineParts,
  record: ContainerRecord,
): ContainerRecord["files"] {
  const { networkMode } = record.host;
  if (networkMode.startsWith("container:")) return joinedContainer(parts, networkMode).files;
  const directory = parts.paths.container(record.id);
  return {
    hostname: join(directory, "hostname"),
    hosts: join(directory, "hosts"),
    resolvConf: join(directory, "resolv.conf"),
  };
}

/** Writes hosts, hostname and resolv.conf of a container for one run; in place, since a bind mount follows the file and not its name. */
export function writeContainerFiles(
  parts: EngineParts,
  record: ContainerRecord,
  sandbox: Sandbox,
): void {
  const { host } = record;
  if (host.networkMode.startsWith("container:")) return;
  const files = containerFiles(parts, record);
  const hostname = hostnameOf(record);
  writeFileSync(files.hostname, `${hostname}\n`);
  writeFileSync(files.hosts, hostsText(record, hostname, sandbox));
  writeFileSync(
    files.resolvConf,
    renderResolvConf({
      host: readHostResolvConf(),
      dns: host.dns,
      search: host.dnsSearch,
      options: host.dnsOptions,
      sharesHost: host.networkMode === "host",
    }),
  );
}

function hostsText({ host, config }: ContainerRecord, hostname: string, sandbox: Sandbox): string {
  if (host.networkMode === "host") return readText("/etc/hosts");
  const { address, gateway = "" } = sandbox.attachment ?? {};
  return renderHosts({
    ...(address && { address }),
    names: config.domainname === "" ? [hostname] : [`${hostname}.${config.domainname}`, hostname],
    extraHosts: host.extraHosts.map((each) => each.replace(/:host-gateway$/, `:${gateway}`)),
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
