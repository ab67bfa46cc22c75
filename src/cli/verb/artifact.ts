import type { Verb } from "../command.ts";
import { registryVerbs, required } from "../registry-context.ts";
import type {
  attachArtifactFlags,
  fetchArtifactFlags,
  listArtifactsFlags,
} from "../table/trust.ts";

export const attach: Verb<typeof attachArtifactFlags> = async (context, { flags, args }) => {
  const [image = "", ...files] = args;
  const artifactType = required("artifact-type", flags["artifact-type"]);
  const verbs = await registryVerbs(context);
  return await verbs.attachArtifact({
    image,
    files,
    artifactType,
    annotations: flags.annotation,
  });
};

export const list: Verb<typeof listArtifactsFlags> = async (context, { flags, args }) => {
  const [image = ""] = args;
  const { json } = flags;
  const verbs = await registryVerbs(context);
  return await verbs.listArtifacts({ image, artifactType: flags["artifact-type"], json });
};

export const fetch: Verb<typeof fetchArtifactFlags> = async (context, { flags, args }) => {
  const [artifact = ""] = args;
  const verbs = await registryVerbs(context);
  return await verbs.fetchArtifact({
    artifact,
    artifactType: flags["artifact-type"],
    directory: flags.output ?? ".",
  });
};
