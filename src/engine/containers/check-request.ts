import { lstatSync } from "node:fs";
import { isIP } from "node:net";
import { posix } from "node:path";
import { Fault, parseBytes } from "#base";
import { signalNumber } from "#kernel";
import { capabilityMask } from "#runtime";
import type { CreateRequest, HostConfig } from "../contract.ts";
import { checkResources } from "./check-resources.ts";

/** A definition is kept in memory and in one row: more than this is a mistake or an attack. */
const maxRequest = 1 << 20;

function refuse(message: string, about?: string): never {
  throw new Fault("invalid", message, about === undefined ? {} : { about });
}

/**
 * Everything of a create request that can be judged without the image, before
 * anything is made. Faults: `invalid`, and `unsupported` for what Docker has and
 * this engine does not.
 */
export function checkRequest(request: CreateRequest, machine: { readonly cpus: number }): void {
  const { config, host } = request;
  if (JSON.stringify([config, host]).length > maxRequest) {
    refuse(`the container's configuration is larger than the limit of ${maxRequest} bytes`);
  }
  checkText(request);
  checkCapabilities("CapAdd", host.capAdd);
  checkCapabilities("CapDrop", host.capDrop);
  checkResources(host, machine);
  checkMounts(host);
  checkModes(request);
  checkNameService(host);
  checkLog(host);
  if (config.stopSignal) checkSignal(config.stopSignal);
  if (config.stopTimeout !== undefined && !Number.isSafeInteger(config.stopTimeout)) {
    refuse(`Invalid stop timeout: ${config.stopTimeout}`);
  }
  if (config.volumes.length > 0) {
    unsupported(`volumes (${config.volumes.join(", ")}); bind a host directory instead`);
  }
  if (config.healthcheck?.test.length && config.healthcheck.test[0] !== "NONE") {
    unsupported("health checks");
  }
  if (host.cgroupParent !== "") unsupported("a cgroup parent of one's own");
}

function unsupported(what: string): never {
  throw new Fault("unsupported", `this version of thimble does not have ${what}`, { about: what });
}

/** The number of a signal given by name or number; Docker's words when there is none. */
export function checkSignal(signal: string): number {
  const number = signalNumber(signal);
  if (number === undefined || number === 0) refuse(`invalid signal: ${signal}`, signal);
  return number;
}

/** Docker's words; `member` is the one of HostConfig that holds the names. */
function checkCapabilities(member: string, names: readonly string[]): void {
  for (const name of names) {
    if (name === "ALL") continue;
    try {
      capabilityMask([name]);
    } catch (cause) {
      const message = `invalid ${member}: unknown capability: "${name}"`;
      throw new Fault("invalid", message, { about: name, cause });
    }
  }
}

function checkText({ config, host }: CreateRequest): void {
  for (const text of [
    ...config.env,
    ...(config.cmd ?? []),
    ...(config.entrypoint ?? []),
    config.user,
    config.workingDir,
    ...host.binds.flatMap((bind) => [bind.source, bind.target]),
  ]) {
    if (text.includes("\0")) refuse("a text of the configuration holds a NUL character", text);
  }
  for (const variable of config.env) {
    if (variable === "" || variable.startsWith("=")) {
      refuse(`invalid environment variable: ${variable}`, variable);
    }
  }
  if (config.workingDir !== "" && !posix.isAbsolute(config.workingDir)) {
    refuse(
      `the working directory '${config.workingDir}' is invalid, it needs to be an absolute path`,
      config.workingDir,
    );
  }
  if (config.hostname.length > 63 || /[^A-Za-z0-9._-]/.test(config.hostname)) {
    refuse(`invalid hostname format: ${config.hostname}`, config.hostname);
  }
  if (config.domainname.length > 64) refuse(`invalid domain name: ${config.domainname}`);
}

function checkMounts(host: HostConfig): void {
  const targets = new Set<string>();
  const claim = (target: string) => {
    if (!posix.isAbsolute(target)) {
      refuse(`invalid mount path: '${target}' mount path must be absolute`, target);
    }
    const clean = posix.normalize(target).replace(/(.)\/+$/, "$1");
    if (clean === "/") {
      refuse("invalid specification: destination can't be '/'", target);
    }
    if (targets.has(clean)) refuse(`Duplicate mount point: ${clean}`, clean);
    targets.add(clean);
  };
  for (const bind of host.binds) {
    claim(bind.target);
    if (!posix.isAbsolute(bind.source)) {
      refuse(`invalid mount path: '${bind.source}' mount path must be absolute`, bind.source);
    }
    if (!bind.createSource && !exists(bind.source)) {
      refuse(
        `invalid mount config for type "bind": bind source path does not exist: ${bind.source}`,
        bind.source,
      );
    }
  }
  for (const { target } of host.tmpfs) claim(target);
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function checkModes({ config, host }: CreateRequest): void {
  const { networkMode } = host;
  if (!/^(default|bridge|none|host|container:.+)$/.test(networkMode)) {
    unsupported(
      `user-defined networks ("${networkMode}"); use bridge, none, host or container:NAME`,
    );
  }
  if (networkMode.startsWith("container:")) {
    if (config.hostname !== "") refuse("conflicting options: hostname and the network mode");
    if (host.dns.length > 0) refuse("conflicting options: dns and the network mode");
    if (host.extraHosts.length > 0) {
      refuse("conflicting options: custom host-to-IP mapping and the network mode");
    }
  }
  if (!/^(|host)$/.test(host.utsMode)) refuse(`invalid UTS mode: ${host.utsMode}`, host.utsMode);
  if (host.utsMode === "host" && config.hostname !== "") {
    refuse("conflicting options: hostname and the UTS mode");
  }
  if (!/^(|host|private|container:.+)$/.test(host.pidMode)) {
    refuse(`invalid PID mode: ${host.pidMode}`, host.pidMode);
  }
  if (!/^(|private|shareable|none|host|container:.+)$/.test(host.ipcMode)) {
    refuse(`invalid IPC mode: ${host.ipcMode}`, host.ipcMode);
  }
  // Its /dev/shm would have to be found by a path in files that the other container may change.
  if (host.ipcMode.startsWith("container:")) {
    unsupported("the ipc namespace of another container; use private, none, shareable or host");
  }
}

function checkNameService(host: HostConfig): void {
  for (const address of host.dns) {
    if (isIP(address) === 0) refuse(`bad nameserver address: ${address}`, address);
  }
  for (const each of host.extraHosts) {
    const colon = each.indexOf(":");
    const address = each.slice(colon + 1).replace(/^\[(.*)\]$/, "$1");
    if (colon < 1 || /\s/.test(each) || (address !== "host-gateway" && isIP(address) === 0)) {
      refuse(`bad format for add-host: "${each}"`, each);
    }
  }
}

export interface LogLimits {
  /** Bytes of one file; 0n is unlimited. */
  readonly maxSize: bigint;
  readonly maxFiles: number;
}

function checkLog(host: HostConfig): void {
  if (!["", "json-file", "none"].includes(host.logDriver)) {
    unsupported(`the log driver "${host.logDriver}"; use json-file or none`);
  }
  for (const key of Object.keys(host.logOptions)) {
    if (key !== "max-size" && key !== "max-file") {
      refuse(`unknown log opt '${key}' for json-file log driver`, key);
    }
  }
  logLimits(host);
}

/** `max-size` and `max-file` of the json-file log; one file of any size by default. */
export function logLimits(host: HostConfig): LogLimits {
  const { "max-size": size = "-1", "max-file": files = "1" } = host.logOptions;
  const bytes = size === "-1" ? 0 : parseBytes(size);
  if (bytes === undefined || (size !== "-1" && bytes <= 0)) {
    refuse(`invalid value for max-size: ${size}; give a size as 10m`, size);
  }
  const count = Number(files);
  if (!/^\d+$/.test(files) || count < 1 || count > 1000) {
    refuse(`invalid value for max-file: ${files}; give a number from 1 to 1000`, files);
  }
  if (bytes === 0 && count > 1) refuse("max-file cannot be set greater than 1 without max-size");
  return { maxSize: BigInt(bytes), maxFiles: count };
}
