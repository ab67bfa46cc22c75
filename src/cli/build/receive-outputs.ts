import { mkdir } from "node:fs/promises";
import type { BuildResult } from "#wire";
import { receiveTree } from "../receive-tree.ts";
import { writeFile } from "../verb/archive.ts";
import type { BuildOutput } from "./build-outputs.ts";
import type { BuildWork } from "./send-source.ts";

/** Fetches the outputs that are for this machine. */
export async function receiveOutputs(
  outputs: readonly BuildOutput[],
  { exports }: BuildResult,
  work: BuildWork,
): Promise<void> {
  for (const { output, id } of exports) {
    const asked = outputs[output];
    if (asked?.dest !== undefined) await receive({ ...asked, dest: asked.dest }, id, work);
  }
}

async function receive(
  { type, dest }: BuildOutput & { readonly dest: string },
  id: string,
  work: BuildWork,
): Promise<void> {
  const { context, show } = work;
  const isTree = type === "local";
  const name = `exporting to ${isTree ? "client directory" : "client tarball"}`;
  await show.transfer(name, isTree ? "copying files" : "sending tarball", async (onBytes) => {
    const tar = fetched(id, work, onBytes);
    if (isTree) {
      await mkdir(dest, { recursive: true });
      const skip = (path: string) => show.warn(`${path} is a device or a pipe, and is left out`);
      await receiveTree(tar, dest, { skip });
    } else if (dest === "-") {
      for await (const chunk of tar) await context.out.write(chunk);
    } else await writeFile(dest, tar);
  });
}

/** What waits for this client under an id; `onBytes` hears how much has come. */
export async function* fetched(
  id: string,
  { context, signal }: Pick<BuildWork, "context" | "signal">,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void> {
  let bytes = 0;
  for await (const chunk of context.client.builds.exported(id, signal)) {
    yield chunk;
    bytes += chunk.byteLength;
    onBytes(bytes);
  }
}
