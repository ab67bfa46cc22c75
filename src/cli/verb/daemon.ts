import type { Verb } from "../command.ts";
import { daemonSettings } from "../daemon-settings.ts";
import type { daemonFlags } from "../table/daemon.ts";

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
    insecureRegistries: given.has("insecure-registry") ? flags["insecure-registry"] : undefined,
    authorizationPlugins: given.has("authorization-plugin")
      ? flags["authorization-plugin"]
      : undefined,
    metricsAddr: flags["metrics-addr"],
    logLevel: flags["log-level"],
    logFormat: flags["log-format"],
    debug: given.has("debug") ? flags.debug : undefined,
    configFile: flags["config-file"],
    validate: flags.validate || undefined,
    settings: daemonSettings(flags, given),
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
