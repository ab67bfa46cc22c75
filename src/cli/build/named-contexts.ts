import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { BuildBody } from "#wire";
import { Exit } from "../failure.ts";
import { readIfThere } from "./build-file.ts";
import { isRemote } from "./build-source.ts";
import { type BuildWork, sendShown } from "./send-source.ts";

type NamedContext = NonNullable<BuildBody["contexts"]>[string];

/** The contexts of --build-context, "NAME=SOURCE"; the files of directories are sent. */
export async function sendNamedContexts(
  words: readonly string[],
  work: BuildWork,
): Promise<Record<string, NamedContext>> {
  const contexts: Record<string, NamedContext> = {};
  for (const word of words) {
    const equals = word.indexOf("=");
    if (equals <= 0) throw fail(`invalid context value: ${word}, expected key=value`);
    const name = word.slice(0, equals);
    contexts[name] = await namedContext(name, word.slice(equals + 1), work);
  }
  return contexts;
}

async function namedContext(name: string, source: string, work: BuildWork): Promise<NamedContext> {
  const image = /^docker-image:\/\/(.+)$/.exec(source)?.[1];
  if (image !== undefined) return { image };
  const target = /^target:(.+)$/.exec(source)?.[1];
  if (target !== undefined) return { target };
  const layout = /^oci-layout:\/\/(.+?)(?:@(sha256:[0-9a-f]{64})|:([\w][\w.-]*))?$/.exec(source);
  if (layout) {
    const [, directory = "", digest, tag] = layout;
    const id = await send(name, directory, work);
    return { layout: id, reference: digest ?? tag ?? "latest" };
  }
  if (isRemote(source)) return { remote: source };
  return await send(name, source, work);
}

async function send(name: string, directory: string, work: BuildWork): Promise<string> {
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory())
    throw fail(`failed to get build context ${name}: ${directory} is no directory`);
  const ignored = await readIfThere(join(directory, ".dockerignore"));
  return await sendShown(
    `[context ${name}] load from client`,
    { directory, ignored, purpose: "" },
    work,
  );
}

function fail(why: string): Exit {
  return new Exit(1, `ERROR: failed to build: ${why}`);
}
