import { command } from "../command.ts";
import { bool, choice, int, list, map, text } from "../flag.ts";
import { logLevel } from "./log-level.ts";

/** Flags that say what a key of the configuration file says, with the names that dockerd has for them. */
export const settingFlags = {
  bip: text("Address and subnet of the default bridge (10.9.0.1/24)"),
  "default-address-pool": list("Pool for networks without a subnet (base=10.200.0.0/16,size=24)"),
  "default-shm-size": text("Size of /dev/shm of containers that name none", {
    shownDefault: "64M",
  }),
  "default-ulimit": list("Limit of containers that set none (nofile=1024:2048)"),
  dns: list("Name server of containers that name none"),
  "dns-opt": list("Option of the resolver of containers that set none"),
  "dns-search": list("Search domain of containers that name none"),
  "exec-root": text("The same as --run-root, as dockerd calls it", { complete: "file" }),
  "fixed-cidr": text("Part of the default bridge's subnet that containers get addresses of"),
  init: bool("Run containers that say nothing else under an init process"),
  label: list("Label of the engine (KEY=VALUE), which info shows"),
  "log-driver": text("Log driver of containers that name none", { shownDefault: "json-file" }),
  "log-opt": map("Option of that log driver (max-size=10m)"),
  "max-concurrent-downloads": int("Layers that are downloaded at once", { shownDefault: "3" }),
  "max-concurrent-uploads": int("Layers that are uploaded at once", { shownDefault: "5" }),
  mtu: int("MTU of the default bridge"),
  "registry-mirror": list("Mirror of Docker Hub (https://HOST)"),
  "storage-driver": text("overlay2, which it is in any case", { short: "s" }),
  "storage-opt": list("Options of the storage, which has none"),
};

export const daemonFlags = {
  ...settingFlags,
  "config-file": text(
    "Configuration file, with the keys of dockerd's daemon.json; SIGHUP has it read again",
    {
      shownDefault: "/etc/thimble/daemon.json",
      complete: "file",
    },
  ),
  debug: bool("Write all that the engine does to its log", { short: "D" }),
  validate: bool("Say whether the flags and the file are right, and end"),
  "config-root": text(
    "Directory of certs.d (certificates and mirrors of registries) and policy.json",
    {
      shownDefault: "/etc/thimble",
      complete: "file",
    },
  ),
  "authorization-plugin": list(
    "Plugin that decides about requests and answers (Docker's protocol); several are asked in order",
  ),
  "data-root": text("Directory of images and containers", {
    shownDefault: "/var/lib/thimble",
    complete: "file",
  }),
  "run-root": text("Directory of sockets and other files that do not outlive a boot", {
    shownDefault: "/run/thimble",
    complete: "file",
  }),
  group: text("Group of the unix sockets, whose members may use the engine (and are root by that)"),
  host: list("Address to listen on: unix:///PATH, tcp://HOST:PORT or fd:// (sockets of systemd)", {
    short: "H",
    shownDefault: "unix:///run/thimble/thimble.sock",
  }),
  "insecure-registry": list(
    "Registry (HOST[:PORT]) to which plain HTTP and any certificate are allowed",
  ),
  "layer-compression": text(
    "Compression of layers made here, and of plain layers that are pushed",
    {
      placeholder: "FORMAT[:LEVEL]",
      shownDefault: "zstd:1",
    },
  ),
  "metrics-addr": text("Serve metrics for Prometheus at /metrics of this address", {
    placeholder: "HOST:PORT",
  }),
  registry: text("Also serve a registry, whose data is in the data root", {
    placeholder: "HOST:PORT",
  }),
  "registry-access": text(
    "File with the access rules of that registry (see `registry serve --access`)",
    {
      complete: "file",
    },
  ),
  "registry-htpasswd": text("File with the users of that registry (see `registry htpasswd`)", {
    complete: "file",
  }),
  "registry-tls-own": bool("Serve it with a certificate signed by its own authority"),
  "log-format": choice("Format of messages to log: text or json", ["text", "json"], {
    shownDefault: "text",
  }),
  "log-level": logLevel,
  tls: bool("Speak TLS on TCP, also with clients that have no certificate"),
  tlsverify: bool("Speak TLS on TCP, with clients that have a certificate of the authority only"),
  tlscacert: text("Certificate of the authority of clients", {
    shownDefault: "/etc/thimble/tls/ca.pem",
    complete: "file",
  }),
  tlscert: text("Certificate of the engine", {
    shownDefault: "/etc/thimble/tls/server-cert.pem",
    complete: "file",
  }),
  tlskey: text("Key of the engine's certificate", {
    shownDefault: "/etc/thimble/tls/server-key.pem",
    complete: "file",
  }),
};

const dryRun = bool("Show what would be done, and do nothing");
const root = text("Root directory of the machine, where it is not this one", {
  shownDefault: "/",
  complete: "file",
});

export const daemonInstallFlags = {
  "dry-run": dryRun,
  group: text("Group whose members may use the engine (and are root by that)", {
    shownDefault: "root",
  }),
  root,
};

export const daemonUninstallFlags = { "dry-run": dryRun, root };

const installCommand = command({
  summary: "Have systemd start the engine with its first client",
  usage: "[OPTIONS]",
  flags: daemonInstallFlags,
  examples: [["daemon install --dry-run", "see the units and the commands"]],
  load: async () => (await import("../verb/daemon-units.ts")).daemonInstall,
});

const uninstallCommand = command({
  summary: "Undo `daemon install`, and say what stays",
  usage: "[OPTIONS]",
  flags: daemonUninstallFlags,
  load: async () => (await import("../verb/daemon-units.ts")).daemonUninstall,
});

export const daemonCommand = command({
  summary: "Run the engine in the foreground (otherwise it starts on first use)",
  usage: "[OPTIONS]",
  flags: daemonFlags,
  examples: [
    ["daemon --data-root /tmp/d --run-root /tmp/r", "a second engine beside the first"],
    [
      "daemon --log-driver local --log-opt max-size=50m --dns 10.0.0.53",
      "defaults of containers, which a configuration file can say as well",
    ],
    ["daemon --validate --config-file /etc/docker/daemon.json", "see what of Docker's file holds"],
    [
      "daemon -H unix:///run/thimble/thimble.sock -H tcp://0.0.0.0:2376 --tlsverify",
      "also for other machines, with the certificates of `thimble system cert`",
    ],
  ],
  variants: { install: installCommand, uninstall: uninstallCommand },
  load: async () => (await import("../verb/daemon.ts")).daemon,
});
