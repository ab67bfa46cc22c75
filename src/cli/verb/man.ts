import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#base";
import type { Verb } from "../command.ts";
import { manPages } from "../man-page.ts";

/** Writes the pages of the manual into a directory, which is made where it is missing. */
export const man: Verb<Record<never, never>> = async (context, { args: [directory = ""] }) => {
  const pages = manPages(context.options.version);
  try {
    await mkdir(directory, { recursive: true });
    for (const { file, text } of pages) await writeFile(join(directory, file), text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("invalid", `cannot write the manual to ${directory}: ${why}`, {
      about: directory,
      cause,
    });
  }
  await context.out.write(
    `${pages.length} pages in ${directory}; read one: man -l ${join(directory, "thimble-run.1")}\n`,
  );
  return 0;
};
