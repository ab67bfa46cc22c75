import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { defined, Scope } from "#base";
import type { StoredImage } from "#content";
import { parseReference, withDefaultTag } from "#image";
import { debootstrap, type Executor, makeScratch, type RootTree } from "#rootfs";
import type { Parts } from "../parts.ts";
import type { MakeImageRequest, Progress } from "./image-contract.ts";

export interface MakeImageOptions {
  readonly request: MakeImageRequest;
  readonly executor: Executor;
  readonly report: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

/**
 * Makes an image by a method of `rootfs`. The name is checked first, the tree is made
 * in a directory of the data root, so that it becomes a layer by a rename, and a
 * failure leaves neither tree nor image.
 */
export async function makeImage(
  parts: Parts<"paths" | "content">,
  options: MakeImageOptions,
): Promise<StoredImage> {
  const { request, report, signal } = options;
  const reference = withDefaultTag(parseReference(request.reference));
  await using scope = new Scope();
  await mkdir(parts.paths.work, { recursive: true, mode: 0o700 });
  const workDir = await mkdtemp(join(parts.paths.work, "image-"));
  scope.defer(() => rm(workDir, { recursive: true, force: true }));
  const tree = await makeTree(parts, options, workDir);
  report({ id: "image", status: "Storing the image" });
  const { cmd, entrypoint, env } = tree.config;
  const own = request.method === "scratch" ? request.created : undefined;
  const made = tree.created && BigInt(tree.created.getTime()) * 1_000_000n;
  return await parts.content.createImageFromTree({
    directory: tree.directory,
    reference,
    config: {
      Env: env,
      ...defined({ Cmd: cmd, Entrypoint: entrypoint }),
    },
    history: { created_by: describe(request) },
    created: own ?? made,
    onProgress: (current) => report({ id: "image", status: "Storing the image", current }),
    signal,
  });
}

async function makeTree(
  parts: Parts<"paths">,
  { request, executor, report, signal }: MakeImageOptions,
  workDir: string,
): Promise<RootTree> {
  if (request.method === "scratch") {
    const { files, cmd } = request;
    return await makeScratch({ files, ...defined({ cmd }), workDir, report, signal });
  }
  const cacheDir = join(parts.paths.cache, "debian");
  await mkdir(cacheDir, { recursive: true, mode: 0o700 });
  const { suite, variant, include, mirror, keyring } = request;
  return await debootstrap({
    suite,
    variant,
    include,
    ...defined({ mirror, keyring }),
    cacheDir,
    workDir,
    executor,
    report,
    signal,
  });
}

/** For the image's history. */
function describe(request: MakeImageRequest): string {
  if (request.method === "scratch") return "thimble mkimage scratch";
  const include = request.include.length > 0 ? ` --include=${request.include.join(",")}` : "";
  return `thimble mkimage debootstrap --variant=${request.variant}${include} ${request.suite}`;
}
