import { composeVersion } from "#compose";
import type { Verb } from "../command.ts";
import type { versionFlags } from "../table/compose-look.ts";

/** Scripts ask for the number to know what they may use. */
export const version: Verb<typeof versionFlags> = async (context, { flags }) => {
  const own = context.options.version;
  const text = flags.short
    ? composeVersion
    : flags.format === "json"
      ? JSON.stringify({ version: composeVersion })
      : `Docker Compose version ${composeVersion} (thimble ${own})`;
  await context.out.write(`${text}\n`);
  return 0;
};
