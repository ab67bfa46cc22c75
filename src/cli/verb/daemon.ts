import type { Verb } from "../command.ts";
import type { daemonFlags } from "../table/system.ts";

export const daemon: Verb<typeof daemonFlags> = (context, { flags }) => {
  const { registry: addr } = flags;
  return context.options.local.daemon({
    dataRoot: flags["data-root"],
    runRoot: flags["run-root"],
    host: flags.host ?? context.hostFlag,
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
