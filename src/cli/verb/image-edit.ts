import { isFault } from "#base";
import type { Verb } from "../command.ts";
import { failureText } from "../failure.ts";
import type { rmiFlags } from "../table/images.ts";

export const tag: Verb<Record<never, never>> = async (context, { args }) => {
  const [source = "", target = ""] = args;
  await context.client.images.tag(source, target);
  return 0;
};

export const rmi: Verb<typeof rmiFlags> = async (context, { flags, args }) => {
  let status = 0;
  for (const ref of args) {
    try {
      const options = { force: flags.force, noPrune: flags["no-prune"], platforms: flags.platform };
      for (const entry of await context.client.images.remove(ref, options)) {
        const line =
          "Untagged" in entry ? `Untagged: ${entry.Untagged}` : `Deleted: ${entry.Deleted}`;
        await context.out.write(`${line}\n`);
      }
    } catch (error) {
      // As docker: with force, a missing image is not a failure.
      if (!(flags.force && isFault(error, "not_found"))) status = 1;
      await context.err.write(`${failureText(error)}\n`);
    }
  }
  return status;
};
