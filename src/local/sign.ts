import { readFile } from "node:fs/promises";
import { canonicalName, canonicalString, parseReference, withDefaultTag } from "#image";
import { readPrivateKey, signBundle, signSimple, writeSignature } from "#trust";
import type { RegistryContext } from "./registry-context.ts";

export interface SignOptions {
  readonly images: readonly string[];
  /** A file as cosign makes it, or PKCS #8 in PEM. */
  readonly key: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Signs images where they are, in their registry: as a Sigstore bundle that refers to
 * the image (cosign since version 3), and as a simple signature under cosign's tag
 * (cosign before, Podman, Skopeo). The password of the key is $COSIGN_PASSWORD, or asked for.
 */
export async function sign(context: RegistryContext, options: SignOptions): Promise<number> {
  const ask = async () =>
    context.env.COSIGN_PASSWORD ?? (await context.askPassword(`Password of ${options.key}: `));
  const key = await readPrivateKey(await readFile(options.key), options.key, ask);
  for (const text of options.images) {
    const reference = withDefaultTag(parseReference(text));
    const repository = context.registry.repository(reference);
    const image = await repository.resolve(reference.digest ?? reference.tag ?? "latest");
    const signed = {
      reference: canonicalString(reference),
      digest: image.digest,
      annotations: options.annotations,
    };
    await writeSignature(repository, image, signSimple(key, signed));
    await writeSignature(repository, image, signBundle(key, signed));
    await context.out.write(`Signed ${canonicalName(reference)}@${image.digest}\n`);
  }
  return 0;
}
