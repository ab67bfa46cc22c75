import {
  bool,
  each,
  type FileKey,
  fixed,
  isMap,
  oneOf,
  size,
  text,
  textMap,
  texts,
  whole,
} from "./file-key.ts";

/** What Docker has and this engine has not; each is refused, so that none is ignored. */
const refused = (why = "thimble does not have this setting"): FileKey => fixed(why);

const runtimes = ["thimble", "runc", "io.containerd.runc.v2"];

/** The keys of dockerd's daemon.json, and those of thimble's own. A key is put into effect, or refused by name. */
export const fileKeys: Readonly<Record<string, FileKey>> = {
  "data-root": text,
  "exec-root": text,
  "run-root": text,
  hosts: texts,
  group: text,
  tls: bool,
  tlsverify: bool,
  tlscacert: text,
  tlscert: text,
  tlskey: text,
  debug: bool,
  "log-level": oneOf("debug", "info", "warn", "error"),
  "log-format": oneOf("text", "json"),
  "log-driver": text,
  "log-opts": textMap,
  labels: texts,
  "metrics-addr": text,
  "layer-compression": text,
  "registry-mirrors": texts,
  "insecure-registries": texts,
  "authorization-plugins": texts,
  "max-concurrent-downloads": whole(1),
  "max-concurrent-uploads": whole(1),
  "default-ulimits": each('{"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}', (limit) =>
    ["Soft", "Hard"].every((name) => Number.isSafeInteger(limit[name])),
  ),
  "default-shm-size": size,
  init: bool,
  dns: texts,
  "dns-opts": texts,
  "dns-search": texts,
  bip: text,
  "fixed-cidr": text,
  "default-gateway": text,
  ipv6: bool,
  bip6: text,
  "fixed-cidr-v6": text,
  "default-gateway-v6": text,
  mtu: whole(0),
  "default-address-pools": each(
    '[{"base": "10.200.0.0/16", "size": 24}]',
    ({ base, size: length }) => typeof base === "string" && Number.isSafeInteger(length),
  ),

  // What is so here in any case: a file that says the same may stay as it is.
  "live-restore": fixed(
    "containers always go on when the engine ends; leave it out, or true",
    true,
  ),
  iptables: fixed(
    "the rules of networks are always made (with nftables); leave it out, or true",
    true,
  ),
  ip6tables: fixed(
    "the rules of networks are always made (with nftables); leave it out, or true",
    true,
  ),
  "ip-forward": fixed("forwarding is always switched on for networks; leave it out, or true", true),
  "ip-masq": fixed("set com.docker.network.bridge.enable_ip_masquerade of a network instead", true),
  icc: fixed("set com.docker.network.bridge.enable_icc of a network instead", true),
  "userland-proxy": fixed("published ports on loopback need it; leave it out, or true", true),
  "default-runtime": fixed(`use one of ${runtimes.join(", ")}, which are all thimble`, ...runtimes),
  runtimes: fixed("thimble runs containers itself; leave it out", {}),
  "storage-driver": fixed("use overlay2", "overlay2", "overlay"),
  "storage-opts": fixed("the storage has no options; leave it out", []),
  "exec-opts": fixed(
    "cgroups are made without systemd; use native.cgroupdriver=cgroupfs",
    [],
    ["native.cgroupdriver=cgroupfs"],
  ),
  "cgroup-parent": fixed("cgroups are made below the engine's own; leave it out", ""),
  experimental: fixed("nothing is experimental here; leave it out, or false", false),
  "selinux-enabled": fixed("SELinux labels are not set; leave it out, or false", false),
  "userns-remap": fixed("give --userns to containers instead", ""),
  "no-new-privileges": fixed("give --security-opt no-new-privileges to containers instead", false),
  "raw-logs": fixed("logs have no colours; leave it out", true, false),
  features: (value) => (isMap(value) ? unknownFeature(value) : 'give it as {"NAME": false}'),

  "shutdown-timeout": refused("containers go on when the engine ends, so that it waits for none"),
  pidfile: refused("the process id is in engine.pid below the run root"),
  bridge: refused("the default network has a bridge of its own"),
  "api-cors-header": refused("pages of other sites may not use the engine"),
  ...Object.fromEntries(
    [
      ...["allow-nondistributable-artifacts", "allow-direct-routing", "bridge-accept-fwmark"],
      ...["builder", "cdi-spec-dirs", "cluster-advertise", "cluster-store", "containerd"],
      ...["containerd-namespace", "containerd-plugins-namespace", "cpu-rt-period"],
      ...["cpu-rt-runtime", "cri-containerd", "default-cgroupns-mode"],
      ...["default-ipc-mode", "default-network-opts", "firewall-backend"],
      ...["graph", "host-gateway-ip", "host-gateway-ips", "http-proxy", "https-proxy"],
      ...[
        "init-path",
        "ip",
        "max-download-attempts",
        "min-api-version",
        "network-control-plane-mtu",
      ],
      ...["network-diagnostic-port", "no-proxy", "node-generic-resources", "oom-score-adjust"],
      ...["proxies", "rootless", "seccomp-profile", "swarm-default-advertise-addr"],
      ...["userland-proxy-path"],
    ].map((name) => [name, refused()]),
  ),
};

function unknownFeature(features: Readonly<Record<string, unknown>>): string | undefined {
  const wanted = Object.keys(features).find((name) => features[name] !== false);
  return wanted === undefined ? undefined : `thimble does not have the feature ${wanted}`;
}
