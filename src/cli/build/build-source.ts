import { basename } from "node:path";
import { collect } from "#base";
import { isGitSource, isHttpSource, maxDockerfileBytes } from "#dockerfile";
import type { BuildBody } from "#wire";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { readBuildFile } from "./build-file.ts";
import type { SentDirectory } from "./context-upload.ts";

/** What a build is made from, before anything is sent. */
export interface BuildSource {
  readonly files:
    | { readonly kind: "directory"; readonly directory: SentDirectory }
    | { readonly kind: "archive"; readonly archive: AsyncIterable<Uint8Array> }
    | { readonly kind: "remote"; readonly url: string }
    | { readonly kind: "none" };
  /** Absent: the engine reads it from the context. */
  readonly dockerfile?: string;
  /** In the context, or the last part of its path. */
  readonly dockerfileName: string;
  /** For messages. */
  readonly shownName: string;
  readonly ignore?: string;
}

/** Whether a context is fetched by the engine: a git repository, a tar, or a Dockerfile. */
export function isRemote(path: string): boolean {
  return isGitSource(path) || isHttpSource(path) || path.startsWith("github.com/");
}

/**
 * Looks at PATH | URL | - and at -f as docker does: "-" is a Dockerfile, or an archive with one; "-f
 * -" takes the Dockerfile from standard input and the files from elsewhere.
 */
export async function findSource(
  context: Context,
  { path, file }: { readonly path: string; readonly file: string | undefined },
): Promise<BuildSource> {
  if (path === "-") return await fromInput(context, file);
  if (isRemote(path)) {
    const name = file === undefined || file === "-" ? "Dockerfile" : file;
    const text = file === "-" ? await dockerfileOf(context.stdin.read()) : undefined;
    return {
      files: { kind: "remote", url: path },
      dockerfileName: name,
      shownName: name,
      ...(text === undefined ? {} : { dockerfile: text }),
    };
  }
  const found = await readBuildFile(context, { path, file });
  const { ignored } = found;
  const purpose = ignored === undefined ? "" : (file ?? "");
  return {
    files: { kind: "directory", directory: { directory: path, ignored, purpose } },
    dockerfile: found.text,
    dockerfileName: found.name,
    shownName: file === undefined ? found.name : found.shownName,
    ...(ignored === undefined ? {} : { ignore: ignored }),
  };
}

async function fromInput({ stdin }: Context, file: string | undefined): Promise<BuildSource> {
  if (file === "-") {
    throw new Exit(
      1,
      "ERROR: failed to build: invalid argument: can't use stdin for both build context and dockerfile",
    );
  }
  const { head, whole } = await beginning(stdin.read());
  if (isArchive(head)) {
    const name = file ?? "Dockerfile";
    return { files: { kind: "archive", archive: whole }, dockerfileName: name, shownName: name };
  }
  if (file !== undefined) {
    throw new Exit(
      1,
      "ERROR: failed to build: ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles",
    );
  }
  const text = await dockerfileOf(whole);
  const names = { dockerfileName: "Dockerfile", shownName: "Dockerfile" };
  return { files: { kind: "none" }, dockerfile: text, ...names };
}

async function dockerfileOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  return (await collect(source, maxDockerfileBytes, "the Dockerfile")).toString();
}

/** The first block of a stream, and the whole of it. */
async function beginning(source: AsyncIterable<Uint8Array>) {
  const iterator = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.byteLength < 512) {
    const { done, value } = await iterator.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield head;
    for (;;) {
      const { done, value } = await iterator.next();
      if (done) return;
      yield value;
    }
  }
  return { head, whole: whole() };
}

/** Tar's magic number, or that of a compression: gzip, bzip2, xz, zstd. */
function isArchive(head: Buffer): boolean {
  if (head.subarray(257, 262).toString("latin1") === "ustar") return true;
  const start = head.subarray(0, 6).toString("hex");
  return ["1f8b", "425a68", "fd377a585a00", "28b52ffd"].some((magic) => start.startsWith(magic));
}

/** The context of a request, after its files have been sent. */
export function contextOf(
  source: BuildSource,
  id: string | undefined,
): Pick<BuildBody, "context" | "dockerfile" | "dockerfileName" | "ignore"> {
  const { files, dockerfile, dockerfileName, ignore } = source;
  return {
    context: files.kind === "remote" ? { remote: files.url } : (id ?? null),
    ...(dockerfile === undefined ? {} : { dockerfile }),
    dockerfileName: dockerfile === undefined ? dockerfileName : basename(dockerfileName),
    ...(ignore === undefined ? {} : { ignore }),
  };
}
