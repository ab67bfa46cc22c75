import type { Verb } from "../command.ts";
import { sourceDateEpoch } from "../source-date.ts";
import type { commitFlags } from "../table/images.ts";

export const commit: Verb<typeof commitFlags> = async (context, { flags, args }) => {
  const [container = "", reference] = args;
  const id = await context.client.containers.commit(container, {
    reference,
    message: flags.message,
    author: flags.author,
    changes: flags.change,
    pause: flags.pause,
    epoch: sourceDateEpoch(context.env),
  });
  await context.out.write(`${id}\n`);
  return 0;
};
