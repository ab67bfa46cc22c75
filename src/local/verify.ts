import { readFile } from "node:fs/promises";
import { Fault, isFault } from "#base";
import {
  canonicalName,
  canonicalString,
  type Digest,
  familiarString,
  parseReference,
  withDefaultTag,
} from "#image";
import type { Repository } from "#registry-client";
import { type Claims, parsePublicKey, readSignatures, verifySignature } from "#trust";
import type { RegistryContext } from "./registry-context.ts";

export interface VerifyOptions {
  readonly images: readonly string[];
  /** Files of public keys; a signature of any of them is good. */
  readonly keys: readonly string[];
  /** Annotations that a signature must have as well. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly json: boolean;
}

/** Checks that images are signed by one of the keys; the first that is not is `denied`. */
export async function verify(context: RegistryContext, options: VerifyOptions): Promise<number> {
  const keys = await Promise.all(
    options.keys.map(async (file) => parsePublicKey(await readFile(file), file)),
  );
  for (const text of options.images) {
    const reference = withDefaultTag(parseReference(text));
    const repository = context.registry.repository(reference);
    const { digest } = await repository.resolve(reference.digest ?? reference.tag ?? "latest");
    const found = (await claimsOf(repository, digest, keys)).filter((claims) =>
      says(claims, options.annotations),
    );
    if (found.length === 0) {
      throw new Fault(
        "denied",
        `${familiarString(reference)} (${digest}) has no signature by ${options.keys.join(" or ")}${Object.keys(options.annotations).length > 0 ? " with these annotations" : ""}`,
        { about: familiarString(reference) },
      );
    }
    await context.out.write(
      options.json
        ? `${JSON.stringify(found.map((claims) => payloadOf(claims, canonicalString(reference))))}\n`
        : `Verified ${canonicalName(reference)}@${digest}: ${count(found.length)} by ${options.keys.join(" or ")}\n`,
    );
  }
  return 0;
}

async function claimsOf(
  repository: Repository,
  digest: Digest,
  keys: Parameters<typeof verifySignature>[1],
): Promise<readonly Claims[]> {
  const found: Claims[] = [];
  for await (const signature of readSignatures(repository, digest)) {
    try {
      const claims = verifySignature(signature, keys);
      if (claims?.digest === digest) found.push(claims);
    } catch (error) {
      // A malformed signature counts as no signature.
      if (!isFault(error, "invalid")) throw error;
    }
  }
  return found;
}

function says(claims: Claims, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => claims.annotations[name] === value);
}

/** As `cosign verify` prints it. */
function payloadOf({ digest, reference, annotations, form }: Claims, asked: string): object {
  return {
    critical: {
      identity: { "docker-reference": reference ?? asked },
      image: { "docker-manifest-digest": digest },
      type:
        form === "simple"
          ? "cosign container image signature"
          : "https://sigstore.dev/cosign/sign/v1",
    },
    optional: annotations,
  };
}

function count(signatures: number): string {
  return signatures === 1 ? "1 signature" : `${signatures} signatures`;
}
