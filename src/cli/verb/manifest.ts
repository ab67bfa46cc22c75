import { defined } from "#base";
import type { Verb } from "../command.ts";
import { registryVerbs } from "../registry-context.ts";
import type {
  manifestAnnotateFlags,
  manifestCreateFlags,
  manifestInspectFlags,
  manifestPushFlags,
} from "../table/trust.ts";

export const create: Verb<typeof manifestCreateFlags> = async (context, { flags, args }) => {
  const [list = "", ...manifests] = args;
  const verbs = await registryVerbs(context);
  return await verbs.createManifestList({
    list,
    manifests,
    amend: flags.amend,
    insecure: flags.insecure,
  });
};

export const annotate: Verb<typeof manifestAnnotateFlags> = async (context, { flags, args }) => {
  const [list = "", manifest = ""] = args;
  const { os, arch, variant } = flags;
  const platform = {
    ...defined({ os, architecture: arch, variant, "os.version": flags["os-version"] }),
    ...(flags["os-features"].length > 0 && { "os.features": flags["os-features"] }),
  };
  return await (await registryVerbs(context)).annotateManifest({ list, manifest, platform });
};

export const inspect: Verb<typeof manifestInspectFlags> = async (context, { flags, args }) => {
  const manifest = args.at(-1) ?? "";
  const list = args.length > 1 ? args[0] : undefined;
  const { verbose, insecure } = flags;
  const verbs = await registryVerbs(context);
  return await verbs.inspectManifest({ list, manifest, verbose, insecure });
};

export const push: Verb<typeof manifestPushFlags> = async (context, { flags, args }) => {
  const [list = ""] = args;
  const { purge, insecure } = flags;
  return await (await registryVerbs(context)).pushManifestList({ list, purge, insecure });
};

export const remove: Verb<Record<never, never>> = async (context, { args: names }) =>
  (await registryVerbs(context)).removeManifestLists({ names });
