import { defined, formatBytes } from "#base";
import { withByteProgress } from "../byte-progress.ts";
import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { outputFlags } from "../table/containers.ts";
import type { volumeImportFlags } from "../table/volumes.ts";
import { openArchive, writeArchive } from "./archive.ts";

export const volumeExport: Verb<typeof outputFlags> = async (context, { flags, args }) => {
  const [name = ""] = args;
  const path = flags.output === "-" ? undefined : flags.output;
  await writeArchive(context, path, "export", (signal) =>
    withByteProgress(context, name, { source: context.client.volumes.export(name, signal) }),
  );
  return 0;
};

export const volumeImport: Verb<typeof volumeImportFlags> = async (context, { flags, args }) => {
  const [name = "", path = "-"] = args;
  if (path === "-" && context.stdin.isTerminal) {
    throw new Error(
      "the archive comes from a file or from a pipe, and standard input is a terminal",
    );
  }
  const { source, size } =
    path === "-" ? { source: context.stdin.read(), size: undefined } : openArchive(path);
  const archive = withByteProgress(context, name, { source, ...defined({ total: size }) });
  const { replace } = flags;
  const { Volume, Entries, Bytes } = await cancellable((signal) =>
    context.client.volumes.import(name, archive, { replace, signal }),
  );
  await context.err.write(`${Entries} files and directories, ${formatBytes(Bytes)}\n`);
  await context.out.write(`${Volume.Name}\n`);
  return 0;
};
