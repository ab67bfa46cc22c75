import type { Verb } from "../command.ts";
import type { doctorFlags } from "../table/system.ts";

export const doctor: Verb<typeof doctorFlags> = (context, { flags }) => {
  const { out, style, env } = context;
  return context.options.local.doctor({
    json: flags.json,
    out,
    style,
    dataRoot: flags["data-root"] ?? env.THIMBLE_DATA_ROOT ?? "/var/lib/thimble",
    runRoot: flags["run-root"] ?? env.THIMBLE_RUN_ROOT ?? "/run/thimble",
  });
};
