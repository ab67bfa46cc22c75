import type { StoredImage } from "#content";
import type { Parts } from "../parts.ts";

/** Whether the policy lets a container be made of an image. */
export function checkRun({ trust }: Parts<"trust">, text: string, image: StoredImage): void {
  trust?.checkRun({ names: namesToCheck(text, image), manifest: image.digest });
}

/** The name that an image was asked for; all that it has when it was asked for by an id or a manifest's digest, which say nothing of where it is from. */
export function namesToCheck(
  text: string,
  { tags, digests }: Pick<StoredImage, "tags" | "digests">,
): readonly string[] {
  const isHex = /^[0-9a-f]{1,64}$/.test(text);
  const isName = text.length < 64 && tags.includes(`${text}:latest`);
  const isId = text.startsWith("sha256:") || (isHex && !isName);
  return isId ? [...tags, ...digests] : [text];
}
