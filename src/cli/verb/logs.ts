import type { Verb } from "../command.ts";
import type { logsFlags } from "../table/containers.ts";
import { parseTimeFlag } from "../time-flag.ts";

export const logs: Verb<typeof logsFlags> = async (context, { flags, args }) => {
  const { containers } = context.client;
  const { Id, Config } = await containers.inspect(args[0] ?? "");
  const options = {
    stdout: true,
    stderr: true,
    follow: flags.follow,
    timestamps: flags.timestamps,
    details: flags.details,
    since: parseTimeFlag(flags.since),
    until: parseTimeFlag(flags.until),
    tail: flags.tail ?? "all",
  };
  for await (const part of containers.logs(Id, Config.Tty, options)) {
    await (part.stream === "stderr" ? context.err : context.out).write(part.bytes);
  }
  return 0;
};
