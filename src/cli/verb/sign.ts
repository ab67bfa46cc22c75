import type { Verb } from "../command.ts";
import { Exit } from "../failure.ts";
import { registryVerbs, required } from "../registry-context.ts";
import type { signFlags, verifyFlags } from "../table/trust.ts";

export const sign: Verb<typeof signFlags> = async (context, { flags, args }) => {
  const key = required("key", flags.key);
  const verbs = await registryVerbs(context);
  return await verbs.sign({ images: args, key, annotations: flags.annotation });
};

export const verify: Verb<typeof verifyFlags> = async (context, { flags, args }) => {
  const { key: keys, annotation: annotations, json } = flags;
  if (keys.length === 0) throw new Exit(1, 'required flag(s) "key" not set');
  const verbs = await registryVerbs(context);
  return await verbs.verify({ images: args, keys, annotations, json });
};

export const createKey: Verb<Record<never, never>> = async (context, { args: [prefix = ""] }) =>
  (await registryVerbs(context)).createKey({ prefix });
