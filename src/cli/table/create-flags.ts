import { bool, cpus, duration, int, list, map, refused, size, text } from "../flag.ts";

const healthFlags = {
  "health-cmd": text("Command to run to check health"),
  "health-grpc": text(
    "Check health by the gRPC health protocol at PORT[/SERVICE] of the container; needs no program in the image",
  ),
  "health-http": text(
    "Check health by a GET request to a URL (or PORT[/PATH]) of the container; a status from 200 to 399 is healthy",
  ),
  "health-interval": duration("Time between running the check"),
  "health-retries": int("Consecutive failures needed to report unhealthy", { min: 0 }),
  "health-start-interval": duration("Time between checks during the start period"),
  "health-start-period": duration("Time to initialize before failures count"),
  "health-tcp": text("Check health by a connection to a TCP port of the container"),
  "health-timeout": duration("Maximum time to allow one check to run"),
  "no-healthcheck": bool("Disable any container-specified HEALTHCHECK"),
};

/** What of a container can change later. */
export const updateFlags = {
  "cpu-rt-runtime": int("Limit CPU real-time runtime in microseconds"),
  "cpu-rt-period": int("Limit CPU real-time period in microseconds"),
  "blkio-weight": int("Block IO weight, between 10 and 1000, or 0 to disable", {
    min: 0,
    max: 65_535,
  }),
  ...healthFlags,
  "cpu-period": int("Limit CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": int("Limit CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-shares": int("CPU shares (relative weight)", { short: "c" }),
  cpus: cpus("Number of CPUs"),
  "cpuset-cpus": text("CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": text("MEMs in which to allow execution (0-3, 0,1)"),
  memory: size("Memory limit", { short: "m" }),
  "memory-reservation": size("Memory soft limit"),
  "log-opt": list("Log driver options"),
  "memory-swap": size("Swap limit equal to memory plus swap: -1 to enable unlimited swap", {
    unlimited: true,
  }),
  "pids-limit": int("Tune container pids limit (set -1 for unlimited)"),
  restart: text("Restart policy to apply when a container exits", {
    shownDefault: "no",
    complete: ["no", "always", "on-failure", "unless-stopped", "unhealthy"],
  }),
};

/**
 * The flags of `run` and `create`, named and spelled as docker's; the engine refuses those that it
 * lacks.
 */
export const createFlags = {
  ...updateFlags,
  "add-host": list("Add a custom host-to-IP mapping (host:ip)"),
  annotation: map("Add an annotation to the container"),
  attach: list("Attach to STDIN, STDOUT or STDERR", {
    short: "a",
    complete: ["stdin", "stdout", "stderr"],
  }),
  "blkio-weight-device": list("Block IO weight (relative device weight)"),
  "cap-add": list("Add Linux capabilities"),
  "cap-drop": list("Drop Linux capabilities"),
  "cgroup-parent": text("Optional parent cgroup for the container"),
  cgroupns: text("Cgroup namespace to use (host|private)", { complete: ["host", "private"] }),
  cidfile: text("Write the container ID to the file", { complete: "file" }),
  device: list("Add a host device, or one of a CDI specification, to the container", {
    complete: "file",
  }),
  "device-cgroup-rule": list("Add a rule to the cgroup allowed devices list"),
  "device-read-bps": list("Limit read rate (bytes per second) from a device"),
  "device-read-iops": list("Limit read rate (IO per second) from a device"),
  "device-write-bps": list("Limit write rate (bytes per second) to a device"),
  "device-write-iops": list("Limit write rate (IO per second) to a device"),
  "disable-content-trust": bool("Skip image verification (deprecated)", {
    initial: true,
    hidden: true,
  }),
  dns: list("Set custom DNS servers"),
  "dns-option": list("Set DNS options", { aliases: ["dns-opt"] }),
  "dns-search": list("Set custom DNS search domains"),
  domainname: text("Container NIS domain name"),
  entrypoint: text("Overwrite the default ENTRYPOINT of the image"),
  env: list("Set environment variables", { short: "e" }),
  "env-file": list("Read in a file of environment variables", { complete: "file" }),
  expose: list("Expose a port or a range of ports"),
  gpus: text("GPU devices to add to the container ('all' to pass all GPUs)", {
    placeholder: "gpu-request",
    complete: ["all"],
  }),
  "group-add": list("Add additional groups to join"),
  hostname: text("Container host name", { short: "h" }),
  init: bool("Run an init inside the container that forwards signals and reaps processes"),
  interactive: bool("Keep STDIN open even if not attached", { short: "i" }),
  ip: text("IPv4 address (e.g., 172.30.100.104)"),
  ip6: text("IPv6 address (e.g., 2001:db8::33)"),
  ipc: text("IPC mode to use"),
  isolation: text("Container isolation technology"),
  label: list("Set meta data on a container", { short: "l" }),
  "label-file": list("Read in a line delimited file of labels", { complete: "file" }),
  "kernel-memory": size("Kernel memory limit (deprecated)", { hidden: true }),
  link: list("Add link to another container", { complete: "container" }),
  "link-local-ip": list("Container IPv4/IPv6 link-local addresses"),
  "log-driver": text("Logging driver for the container", {
    complete: ["fluentd", "gelf", "journald", "json-file", "local", "none", "syslog"],
  }),
  "mac-address": text("Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
  "memory-swappiness": int("Tune container memory swappiness (0 to 100)", { min: -1, max: 100 }),
  mount: list("Attach a filesystem mount to the container", { placeholder: "mount" }),
  name: text("Assign a name to the container"),
  network: list("Connect a container to a network", {
    placeholder: "network",
    aliases: ["net"],
    complete: "network",
  }),
  "network-opt": list("Set options of the first network (rate=10mbit, spoof_check=false)", {
    placeholder: "option=value",
  }),
  "network-alias": list("Add network-scoped alias for the container", { aliases: ["net-alias"] }),
  "oom-kill-disable": bool("Disable OOM Killer"),
  "oom-score-adj": int("Tune host's OOM preferences (-1000 to 1000)"),
  pid: text("PID namespace to use"),
  platform: text("Set platform if server is multi-platform capable"),
  privileged: bool("Give extended privileges to this container"),
  publish: list("Publish a container's port(s) to the host", { short: "p" }),
  "publish-all": bool("Publish all exposed ports to random ports", { short: "P" }),
  "publish-through": bool("Let published ports pass by the host's firewall"),
  pull: text('Pull image before running ("always", "missing", "never")', {
    complete: ["always", "missing", "never"],
  }),
  quiet: bool("Suppress the pull output", { short: "q" }),
  "read-only": bool("Mount the container's root filesystem as read only"),
  rm: bool("Automatically remove the container when it exits"),
  runtime: text("Runtime to use for this container"),
  "security-opt": list("Security Options"),
  "shm-size": size("Size of /dev/shm"),
  "stop-signal": text("Signal to stop the container"),
  "stop-timeout": int("Timeout (in seconds) to stop a container"),
  "storage-opt": list("Storage driver options for the container: size=SIZE limits its own files"),
  sysctl: map("Sysctl options"),
  tmpfs: list("Mount a tmpfs directory"),
  tty: bool("Allocate a pseudo-TTY", { short: "t" }),
  ulimit: list("Ulimit options", { placeholder: "ulimit" }),
  "use-api-socket": refused(
    "mount the engine's socket with -v /run/thimble/thimble.sock:/run/docker.sock",
  ),
  user: text("Username or UID (format: <name|uid>[:<group|gid>])", { short: "u" }),
  userns: text("User namespace to use"),
  uts: text("UTS namespace to use"),
  volume: list("Bind mount a volume", { short: "v", complete: "file" }),
  "volume-driver": text("Optional volume driver for the container"),
  "volumes-from": list("Mount volumes from the specified container(s)", { complete: "container" }),
  workdir: text("Working directory inside the container", { short: "w" }),
};

export type CreateFlags = typeof createFlags;

export const detachKeys = text("Override the key sequence for detaching a container");

export const runFlags = {
  ...createFlags,
  detach: bool("Run container in background and print container ID", { short: "d" }),
  "detach-keys": detachKeys,
  "dry-run": bool("Print the launch plan, and create nothing"),
  json: bool("With --dry-run: print the plan as JSON"),
  "sig-proxy": bool("Proxy received signals to the process", { initial: true }),
};

export type RunFlags = typeof runFlags;

export const execFlags = {
  detach: bool("Detached mode: run command in the background", { short: "d" }),
  "detach-keys": detachKeys,
  env: list("Set environment variables", { short: "e" }),
  "env-file": list("Read in a file of environment variables", { complete: "file" }),
  interactive: bool("Keep STDIN open even if not attached", { short: "i" }),
  privileged: bool("Give extended privileges to the command"),
  tty: bool("Allocate a pseudo-TTY", { short: "t" }),
  user: text('Username or UID (format: "<name|uid>[:<group|gid>]")', { short: "u" }),
  workdir: text("Working directory inside the container", { short: "w" }),
};
