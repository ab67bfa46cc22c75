import type { Verb } from "../command.ts";
import type { daemonFlags } from "../table/system.ts";

export const daemon: Verb<typeof daemonFlags> = (context, { flags, given }) => {
  const { registry: addr } = flags;
  const { host } = context.hostFlags;
  const hosts = flags.host.length > 0 || !host ? flags.host : [host];
  return context.options.local.daemon({
    dataRoot: flags["data-root"],
    runRoot: flags["run-root"],
    hosts: hosts.length > 0 ? hosts : undefined,
    group: flags.group,
    tls: given.has("tls") ? flags.tls : undefined,
    tlsverify: given.has("tlsverify") ? flags.tlsverify : undefined,
    tlscacert: flags.tlscacert,
    tlscert: flags.tlscert,
    tlskey: flags.tlskey,
    configRoot: flags["config-root"],
    layerCompression: flags["layer-compression"],
    insecureRegistries: flags["insecure-registry"],
    metricsAddr: flags["metrics-addr"],
    logLevel: flags["log-level"] ?? "info",
    registry:
      addr === undefined
        ? undefined
        : {
            addr,
            htpasswd: flags["registry-htpasswd"],
            access: flags["registry-access"],
            "tls-own": flags["registry-tls-own"],
          },
  });
};
