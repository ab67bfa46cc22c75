import { defined } from "#base";
import { copyFiles } from "#layer";
import type { RemotePart } from "./key.ts";
import type { CopyOperation, Source } from "./operation.ts";
import { type SourceFiles, selectionOf } from "./source-files.ts";

/** Where COPY and ADD take files from and bring them to. */
export interface CopyContext {
  /** The root of the tree that is changed, mounted. */
  readonly root: string;
  /** Of --chown, in numbers. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly filesOf: (source: Source) => Promise<SourceFiles>;
  /** A directory with what a remote source brings, and the path there. */
  readonly remoteFilesOf: (
    part: RemotePart,
  ) => Promise<{ readonly directory: string; readonly path: string }>;
  /** Hears the bytes that are copied by now. */
  readonly onProgress: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** Carries COPY or ADD out. */
export async function copyStep(operation: CopyOperation, context: CopyContext): Promise<void> {
  const { root, owner, signal, onProgress } = context;
  const { destination, chmod, exclude } = operation;
  const parts: Parameters<typeof copyFiles>[0]["parts"][number][] = [];
  for (const part of operation.parts) {
    if (part.kind === "document") {
      parts.push({ kind: "document", ...part.document });
    } else if (part.kind === "files") {
      if (part.from === "scratch") continue;
      const files = await context.filesOf(part.from);
      const wanted = { path: part.path, parents: part.parents, exclude };
      parts.push({ kind: "files", selection: selectionOf(files, wanted), unpacks: part.unpacks });
    } else {
      const { directory, path } = await context.remoteFilesOf(part);
      const selection = { directory, path, exclude, ignore: [] };
      const unpacks = part.kind === "remote" && part.unpacks;
      parts.push({ kind: "files", selection, unpacks });
    }
  }
  const rules = { destination, ...defined({ owner, mode: chmod || undefined }) };
  await copyFiles({ root, rules, parts }, { signal, onProgress });
}
