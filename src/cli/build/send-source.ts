import type { Context } from "../context.ts";
import type { BuildShow } from "./build-show.ts";
import type { BuildSource } from "./build-source.ts";
import { type SentDirectory, sendDirectory } from "./context-upload.ts";

/** What the steps of a build on this side share. */
export interface BuildWork {
  readonly context: Context;
  readonly show: BuildShow;
  readonly signal: AbortSignal;
}

/** Gives the engine the files of the context; undefined where it fetches them, or there are none. */
export async function sendSource(
  { files }: BuildSource,
  work: BuildWork,
): Promise<string | undefined> {
  if (files.kind === "directory") {
    return await sendShown("[internal] load build context", files.directory, work);
  }
  if (files.kind !== "archive") return undefined;
  const { context, show, signal } = work;
  return await show.transfer(
    "[internal] load build context",
    "transferring context:",
    (onBytes) => {
      async function* counted() {
        let bytes = 0;
        for await (const chunk of files.kind === "archive" ? files.archive : []) {
          yield chunk;
          bytes += chunk.byteLength;
          onBytes(bytes);
        }
      }
      return context.client.builds.sendArchive(counted(), signal);
    },
  );
}

/** A directory, with its progress under this name. */
export async function sendShown(
  name: string,
  directory: SentDirectory,
  { context, show, signal }: BuildWork,
): Promise<string> {
  return await show.transfer(name, "transferring context:", (onSent) =>
    sendDirectory(directory, {
      client: context.client,
      signal,
      onSent,
      warn: (message) => show.warn(message),
    }),
  );
}
