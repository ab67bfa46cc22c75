import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Rotated every 8 KiB and compressed, with room for all that a test writes. */
export const compressedLog = {
  Type: "json-file",
  Config: { "max-size": "8k", "max-file": "200", compress: "true" },
};

/** The files of a container's log, without the part of the name that all have: "", ".1.gz". */
export function logFiles(dataRoot: string, id: string): string[] {
  const name = `${id}-json.log`;
  return readdirSync(join(dataRoot, "containers", id))
    .filter((each) => each.startsWith(name))
    .map((each) => each.slice(name.length));
}

/** Resolves once all rotated files are compressed, of which there is at least one. */
export async function logSettled(dataRoot: string, id: string): Promise<void> {
  for (;;) {
    const rotated = logFiles(dataRoot, id).filter((each) => each !== "");
    if (rotated.length > 0 && rotated.every((each) => /^\.\d+\.gz$/.test(each))) return;
    await Bun.sleep(20);
  }
}
