import { lstatSync } from "node:fs";
import { defined, Fault } from "#base";
import { statfs } from "#kernel";
import type { Description, Sent } from "./description.ts";
import type { HostConfig } from "./host-options.ts";
import { checkResources } from "./limits.ts";
import { cleanTarget, wrongTarget } from "./mount-path.ts";
import type { BindMount } from "./mounts.ts";
import { networkModeOf } from "./network-mode.ts";
import { isVolumeMount, type VolumeMount } from "./volume-mount.ts";

/** A description is kept in memory and in one row: more than this is a mistake or an attack. */
const maxRequest = 1 << 20;

/** The facts of the machine that a request is measured against. */
export interface Limits {
  readonly cpus: number;
}

function refuse(message: string, about?: string): never {
  throw new Fault("invalid", message, defined({ about }));
}

/** The binds of `-v` and `--mount type=bind`, in this order as in Docker. */
export function bindsOf({
  Binds,
  Mounts,
}: Pick<HostConfig, "Binds" | "Mounts">): readonly BindMount[] {
  return [...Binds.filter((mount): mount is BindMount => !isVolumeMount(mount)), ...Mounts.binds];
}

/** The volumes of `-v` and `--mount type=volume`, in this order as in Docker. */
export function volumesOf({
  Binds,
  Mounts,
}: Pick<HostConfig, "Binds" | "Mounts">): readonly VolumeMount[] {
  return [...Binds.filter(isVolumeMount), ...Mounts.volumes];
}

function checkLinks(host: HostConfig): void {
  const { kind } = networkModeOf(host);
  if (host.Links.length === 0 || kind === "bridge") return;
  if (kind === "none") refuse("conflicting options: a container without a network has no links");
  const type = kind === "host" ? "host type networking" : "container type network";
  refuse(
    `conflicting options: ${type} can't be used with links. This would result in undefined behavior`,
  );
}

/** The rules about several fields at once; `invalid`, in Docker's words. */
export function checkRules(sent: Sent, description: Description, limits: Limits): void {
  if (JSON.stringify(sent).length > maxRequest) {
    refuse(`the container's configuration is larger than the limit of ${maxRequest} bytes`);
  }
  checkText(description);
  checkResources(description.host, limits);
  checkTargets(description.host);
  checkRemoval(description.host);
  checkModes(description);
}

function checkRemoval({ AutoRemove, RestartPolicy: { Name } }: HostConfig): void {
  if (AutoRemove && Name !== "" && Name !== "no")
    refuse("can't create 'AutoRemove' container with restart policy");
}

function checkText({ config, host }: Description): void {
  for (const text of [
    ...config.Env,
    ...(config.Cmd ?? []),
    ...(config.Entrypoint ?? []),
    config.User,
    config.WorkingDir,
    ...bindsOf(host).flatMap((bind) => [bind.source, bind.target]),
    ...volumesOf(host).flatMap(({ target, subpath }) => [target, subpath]),
    ...host.Mounts.images.flatMap(({ image, target, subpath }) => [image, target, subpath]),
    ...Object.keys(config.Volumes),
  ]) {
    if (text.includes("\0")) refuse("a text of the configuration holds a NUL character", text);
  }
}

/** Whether something may be mounted there; `invalid`, in Docker's words, when not. */
export function checkTarget(target: string, source: string): void {
  const wrong = wrongTarget(target);
  if (wrong) refuse(wrong, target);
  refuseInsideProc(target, source);
}

function checkTargets(host: HostConfig): void {
  const targets = new Set<string>();
  const claim = (target: string, source: string) => {
    checkTarget(target, source);
    const clean = cleanTarget(target);
    if (targets.has(clean)) refuse(`Duplicate mount point: ${clean}`, clean);
    targets.add(clean);
  };
  for (const bind of bindsOf(host)) {
    claim(bind.target, bind.source);
    if (!bind.createSource && !exists(bind.source)) {
      refuse(
        `invalid mount config for type "bind": bind source path does not exist: ${bind.source}`,
        bind.source,
      );
    }
  }
  for (const { target, volume } of volumesOf(host)) claim(target, volume || "a volume");
  for (const { target, image } of host.Mounts.images) claim(target, image);
  for (const { target } of [...host.Tmpfs, ...host.Mounts.tmpfs]) claim(target, "tmpfs");
}

/** Files of /proc that may be replaced, as by lxcfs (runc, libcontainer/rootfs_linux.go, checkProcMount). */
const replaceable = new Set(
  "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo net/dev sys/kernel/ns_last_pid sys/crypto/fips_enabled".split(
    " ",
  ),
);

const procMagic = 0x9fa0;

/**
 * Any other mount there could undo masks and read-only paths. The helper looks at links of the
 * image.
 */
function refuseInsideProc(target: string, source: string): void {
  const clean = cleanTarget(target);
  if (clean !== "/proc" && !clean.startsWith("/proc/")) return;
  if (replaceable.has(clean.slice("/proc/".length))) return;
  if (clean === "/proc" && exists(source) && statfs(source).type === procMagic) return;
  refuse(
    `error mounting "${source}" to rootfs at "${target}": "${target}" cannot be mounted because it is inside /proc`,
    target,
  );
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function checkModes({ config, host }: Description): void {
  checkLinks(host);
  if (networkModeOf(host).kind === "container") {
    if (config.Hostname !== "") refuse("conflicting options: hostname and the network mode");
    if (host.Dns.length > 0) refuse("conflicting options: dns and the network mode");
    if (host.ExtraHosts.length > 0) {
      refuse("conflicting options: custom host-to-IP mapping and the network mode");
    }
    if (host.PortBindings.length > 0 || host.PublishAllPorts) {
      refuse("conflicting options: port publishing and the container type network mode");
    }
    if (Object.keys(config.ExposedPorts).length > 0) {
      refuse("conflicting options: port exposing and the container type network mode");
    }
  }
  if (host.UTSMode === "host" && config.Hostname !== "") {
    refuse("conflicting options: hostname and the UTS mode");
  }
}
