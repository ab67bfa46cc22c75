import type { CredentialSource } from "#base";
import { parseReference } from "#image";
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
  /** With `insecure`, the hosts of the names need no certificate, and may be spoken to in plain http. */
  const boundTo =
    <O>(
      verb: (context: ManifestContext, options: O) => Promise<number>,
      namesOf: (options: O) => readonly string[],
    ) =>
    (options: O & { readonly insecure: boolean }) => {
      if (!options.insecure) return verb(context, options);
      const hosts = namesOf(options).map((name) => parseReference(name).domain);
      const insecure = [...user.insecure, ...hosts];
      return verb({ ...context, registry: openRegistry({ ...user, insecure }) }, options);
    };
  return {
    sign: bound(sign),
    verify: bound(verify),
    createKey: bound(createKey),
    createManifestList: boundTo(createManifestList, ({ manifests }) => manifests),
    annotateManifest: bound(annotateManifest),
    inspectManifest: boundTo(inspectManifest, ({ manifest }) => [manifest]),
    pushManifestList: boundTo(pushManifestList, ({ list }) => [list]),
    removeManifestLists: bound(removeManifestLists),
    attachArtifact: bound(attachArtifact),
    listArtifacts: bound(listArtifacts),
    fetchArtifact: bound(fetchArtifact),
  };
}
