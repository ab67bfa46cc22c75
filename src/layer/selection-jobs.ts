import { Fault, isFault } from "#base";
import { type Fd, O_DIRECTORY, O_PATH, openat2, openRegularFile } from "#kernel";
import { nameToText, TarReader } from "#tar";
import { decompress } from "./compression.ts";
import { TreeCopier } from "./copy-tree.ts";
import { DigestMemo } from "./digest-memo.ts";
import { TreeExtractor } from "./extract.ts";
import type { JobContext } from "./job.ts";
import { listedEntries, TreeMatcher } from "./match-tree.ts";
import { readSource } from "./read-source.ts";
import { type Match, SelectionReader } from "./selection.ts";
import { SelectionDigester } from "./selection-digest.ts";
import type {
  CopyFilesRequest,
  CopyFilesResult,
  DigestFilesRequest,
  DigestFilesResult,
  MatchTreeRequest,
  MatchTreeResult,
} from "./selection-job.ts";
import { openDirectoryBelow } from "./walk.ts";
import { pathOf } from "./whiteout.ts";

/** What one entry counts for beside bytes: some tens of microseconds of work. */
const breathPerEntry = 16 << 10;
/** Waiting for every entry would take longer than most entries do. */
const breathAfter = 16 * breathPerEntry;
/** An archive of which no member began by then is none. */
const maxHead = 1 << 20;

async function copyFiles(request: CopyFilesRequest, context: JobContext): Promise<CopyFilesResult> {
  using root = openat2(undefined, request.root, { flags: O_PATH | O_DIRECTORY });
  using copier = new TreeCopier(root, request.rules);
  let entries = 0;
  let bytes = 0;
  for (const part of request.parts) {
    if (part.kind === "document") {
      copier.write(part.name, Buffer.from(part.text));
      entries += 1;
      continue;
    }
    using reader = new SelectionReader(part.selection);
    for (const match of reader.matches()) {
      if (part.unpacks && (await unpackMatch({ root, reader, match, copier, request }, context))) {
        continue;
      }
      let work = 0;
      for (const size of copier.copy(reader, match)) {
        if (size === 0) entries += 1;
        bytes += size;
        work += size || breathPerEntry;
        if (work < breathAfter) continue;
        await context.breathe(work);
        work = 0;
        context.progress(bytes);
      }
    }
  }
  return { entries, bytes };
}

interface Unpacking {
  readonly root: Fd;
  readonly reader: SelectionReader;
  readonly match: Match;
  readonly copier: TreeCopier;
  readonly request: CopyFilesRequest;
}

/** Unpacks a source of ADD; false when it is no archive. */
async function unpackMatch(
  { root, reader, match, copier, request }: Unpacking,
  context: JobContext,
): Promise<boolean> {
  if (match.isDirectory) return false;
  using file = openRegularFile(reader.root, pathOf(match.real));
  if (!file) return false;
  const path = `/proc/self/fd/${file.number}`;
  if (!(await isArchive(path, nameToText(match.path), context))) return false;
  using target = openDirectoryBelow(root, copier.placeDirectory());
  const { owner } = request.rules;
  using extractor = new TreeExtractor(target, { exact: true, keepsRoot: true, owner });
  const archive = new TarReader(extractor, { entries: Infinity, totalBytes: Infinity });
  const source = readSource({ path }, context, { reuse: true });
  for await (const chunk of decompress(source, { bytes: Infinity })) archive.push(chunk);
  archive.finish();
  extractor.finish();
  return true;
}

/** Whether a file is a tar archive, compressed or not; `unsupported` for what cannot be read. */
async function isArchive(path: string, name: string, context: JobContext): Promise<boolean> {
  let found = false;
  let bytes = 0;
  const ignore = () => undefined;
  const reader = new TarReader({ entry: () => (found = true), data: ignore, end: ignore }, {});
  try {
    for await (const chunk of decompress(readSource({ path }, context))) {
      reader.push(chunk);
      bytes += chunk.byteLength;
      if (found || bytes > maxHead) break;
    }
  } catch (error) {
    if (isFault(error, "unsupported")) {
      throw new Fault("unsupported", `cannot unpack ${name}: ${error.message}`, { cause: error });
    }
    if (!isFault(error)) throw error;
  }
  return found;
}

async function digestFiles(
  request: DigestFilesRequest,
  context: JobContext,
): Promise<DigestFilesResult> {
  const { memo: memoPath, selections, isListed = false } = request;
  const memo = memoPath === undefined ? undefined : DigestMemo.open(memoPath);
  const digester = new SelectionDigester(memo);
  const lines: string[] = [];
  let work = 0;
  try {
    for (const selection of selections) {
      for (const step of digester.add(selection)) {
        const isBytes = typeof step === "number";
        if (!isBytes && isListed) lines.push(`${step.path}\0${step.digest}\n`);
        work += isBytes ? step : breathPerEntry;
        if (work < breathAfter) continue;
        await context.breathe(work);
        work = 0;
      }
    }
  } finally {
    memo?.save();
  }
  return { digest: digester.digest(), files: Buffer.from(lines.join(""), "latin1") };
}

/** As many as take about as long as one entry that is copied. */
const matchedAtOnce = 16;

async function matchTree(
  { directory }: MatchTreeRequest,
  context: JobContext,
): Promise<MatchTreeResult> {
  using root = openat2(undefined, directory, { flags: O_PATH | O_DIRECTORY });
  using matcher = new TreeMatcher(root);
  const wanted: number[] = [];
  let line = 0;
  let bytes = 0;
  for await (const entry of listedEntries(context.input)) {
    if (matcher.take(entry)) {
      wanted.push(line);
      bytes += entry.size;
    }
    if (++line % matchedAtOnce === 0) await context.breathe(breathPerEntry);
  }
  matcher.sweep();
  matcher.finish();
  return { wanted: Uint32Array.from(wanted), bytes };
}

export const selectionJobs = { copyFiles, digestFiles, matchTree };
