import { writeFile } from "node:fs/promises";
import type { Verb } from "../command.ts";
import type { profileFlags } from "../table/system.ts";

export const profile: Verb<typeof profileFlags> = async (context, { flags }) => {
  const { seconds = 10, output = "thimble.cpuprofile" } = flags;
  const toFile = output !== "-";
  if (toFile) await context.err.write(`Watching the engine for ${seconds} seconds\n`);
  const text = JSON.stringify(await context.client.system.profile(seconds));
  if (!toFile) {
    await context.out.write(`${text}\n`);
    return 0;
  }
  await writeFile(output, text);
  await context.out.write(
    `${output}: open it in the Performance tab of Chrome's developer tools\n`,
  );
  return 0;
};
