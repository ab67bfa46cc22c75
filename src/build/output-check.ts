import { Fault } from "#base";
import { readAnnotations } from "./annotations.ts";
import { type AttestationOptions, hasAttestations } from "./attestations.ts";

/** An output of a build, in BuildKit's words. */
export interface OutputRequest {
  /** "image" (or "moby"), "oci", "docker", "tar", "local", "cacheonly". */
  readonly type: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/**
 * Refuses, before a build does anything, outputs that its result cannot become: the store keeps
 * images for one platform, without attestations.
 */
export function checkOutputs(
  outputs: readonly OutputRequest[],
  build: { readonly platforms: number; readonly attestations: AttestationOptions },
): void {
  const isMany = build.platforms > 1;
  const isIndex = isMany || hasAttestations(build.attestations);
  for (const { type, attributes } of outputs) {
    const levels = readAnnotations(attributes).map(({ level }) => level);
    if (isIndex && type === "docker") {
      throw new Fault(
        "unsupported",
        "docker exporter does not currently support exporting manifest lists",
        { about: type },
      );
    }
    const isImage = type === "image" || type === "moby";
    if (isIndex && isImage && attributes.get("push") !== "true") {
      const what = isMany ? "an image for several platforms" : "an image with attestations";
      throw new Fault(
        "unsupported",
        `${what} cannot be kept by the engine: push it (--push), or write it to a file (--output type=oci,dest=FILE)`,
        { about: type },
      );
    }
    const isPacked = isImage || type === "oci" || type === "docker";
    if (!isIndex && isPacked && levels.some((level) => level.startsWith("index"))) {
      throw new Fault("invalid", "index annotations not supported for single platform export");
    }
  }
}
