import type { CredentialSource } from "#registry";
import { attachArtifact, fetchArtifact, listArtifacts } from "./artifact.ts";
import { createKey } from "./create-key.ts";
import {
  annotateManifest,
  createManifestList,
  inspectManifest,
  type ManifestContext,
  pushManifestList,
  removeManifestLists,
} from "./manifest.ts";
import { openRegistry } from "./registry-context.ts";
import { sign } from "./sign.ts";
import { verify } from "./verify.ts";

/** The commands that speak to registries without an engine, bound to one user's world. */
export function registryVerbs(
  user: Omit<ManifestContext, "registry"> & {
    readonly credentials: CredentialSource;
    readonly configRoot: string;
    readonly insecure: readonly string[];
  },
) {
  const context: ManifestContext = { ...user, registry: openRegistry(user) };
  const bound =
    <O>(verb: (context: ManifestContext, options: O) => Promise<number>) =>
    (options: O) =>
      verb(context, options);
  return {
    sign: bound(sign),
    verify: bound(verify),
    createKey: bound(createKey),
    createManifestList: bound(createManifestList),
    annotateManifest: bound(annotateManifest),
    inspectManifest: bound(inspectManifest),
    pushManifestList: bound(pushManifestList),
    removeManifestLists: bound(removeManifestLists),
    attachArtifact: bound(attachArtifact),
    listArtifacts: bound(listArtifacts),
    fetchArtifact: bound(fetchArtifact),
  };
}
