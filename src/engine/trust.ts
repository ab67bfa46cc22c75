import type { StoredImage } from "#content";
import type { EngineParts } from "./parts.ts";

/** Whether the policy lets a container be made of an image: under the name it was asked for, or by id under all names it has. */
export function checkRun({ trust }: EngineParts, text: string, image: StoredImage): void {
  const hex = text.replace(/^sha256:/, "");
  const isId = image.id.slice("sha256:".length).startsWith(hex) && /^[0-9a-f]+$/.test(hex);
  const isName = image.tags.includes(`${text}:latest`);
  const names = isId && !isName ? [...image.tags, ...image.digests] : [text];
  trust?.checkRun({ names, manifest: image.digest });
}
