import type { Verb } from "../command.ts";
import { Exit } from "../failure.ts";
import type { daemonFlags } from "../table/system.ts";

const levels = ["debug", "info", "warn", "error"] as const;

export const daemon: Verb<typeof daemonFlags> = (context, { flags }) => {
  const word = flags["log-level"] ?? "info";
  const logLevel = levels.find((level) => level === word);
  if (!logLevel) {
    throw new Exit(
      125,
      `invalid argument "${word}" for "-l, --log-level" flag: use ${levels.join(", ")}`,
    );
  }
  return context.options.local.daemon({
    dataRoot: flags["data-root"],
    runRoot: flags["run-root"],
    host: flags.host ?? context.hostFlag,
    configRoot: flags["config-root"],
    layerCompression: flags["layer-compression"],
    insecureRegistries: flags["insecure-registry"],
    ...(flags.registry === undefined
      ? {}
      : {
          registry: {
            address: flags.registry,
            htpasswd: flags["registry-htpasswd"],
            access: flags["registry-access"],
            tlsOwn: flags["registry-tls-own"],
          },
        }),
    logLevel,
  });
};
