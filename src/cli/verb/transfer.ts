import {
  canonicalString,
  familiarName,
  familiarString,
  parseReference,
  type Reference,
  withDefaultTag,
} from "#image";
import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { authFor } from "../registry-auth.ts";
import type { pullFlags, pushFlags } from "../table/transfer.ts";
import { showTransfer } from "../transfer-view.ts";

export const pull: Verb<typeof pullFlags> = async (context, { flags, args }) => {
  const reference = await referenceOf(context, args[0] ?? "", {
    all: flags["all-tags"],
    quiet: flags.quiet,
  });
  const { quiet, platform } = flags;
  await pullReference(context, reference, { quiet, platform, out: context.out });
  await context.out.write(`${spelled(reference)}\n`);
  return 0;
};

/**
 * Pulls the image that a run or create needs, with its progress on standard error as docker shows
 * it.
 */
export async function pullForRun(
  context: Context,
  image: string,
  options: {
    readonly quiet: boolean;
    readonly platform: string | undefined;
    /** It was looked for, and is not here: that is said first. */
    readonly missing: boolean;
  },
): Promise<void> {
  const reference = withDefaultTag(parseReference(image));
  if (options.missing && !options.quiet) {
    await context.err.write(`Unable to find image '${familiarString(reference)}' locally\n`);
  }
  await pullReference(context, reference, { ...options, out: context.err });
}

async function pullReference(
  context: Context,
  reference: Reference,
  options: {
    readonly quiet: boolean;
    readonly platform: string | undefined;
    readonly out: Context["out"];
  },
): Promise<void> {
  const name = familiarName(reference);
  const auth = await authFor(context, name);
  await cancellable(async (signal) => {
    const { platform, out, quiet } = options;
    const messages = context.client.images.pull(name, reference.digest ?? reference.tag, {
      platform,
      auth,
      signal,
    });
    await showTransfer(out, messages, { quiet });
  });
}

export const push: Verb<typeof pushFlags> = async (context, { flags, args }) => {
  const { quiet, platform, compression } = flags;
  const reference = await referenceOf(context, args[0] ?? "", { all: flags["all-tags"], quiet });
  if (reference.digest !== undefined) throw new Exit(1, "cannot push a digest reference");
  const name = familiarName(reference);
  const auth = await authFor(context, name);
  await cancellable(async (signal) => {
    const options = { platform, auth, signal, compression };
    const messages = context.client.images.push(name, reference.tag, options);
    await showTransfer(context.out, messages, { quiet });
  });
  if (quiet) await context.out.write(`${spelled(reference)}\n`);
  return 0;
};

/**
 * The name for the request: with the default tag, which docker mentions, or without a tag for all
 * of them.
 */
export async function referenceOf(
  { out }: Context,
  text: string,
  { all, quiet }: { readonly all: boolean; readonly quiet: boolean },
): Promise<Reference> {
  const reference = parseReference(text);
  const isNamed = reference.tag !== undefined || reference.digest !== undefined;
  if (all) {
    if (isNamed) throw new Exit(1, "tag can't be used with --all-tags/-a");
    return reference;
  }
  if (isNamed) return reference;
  if (!quiet) await out.write("Using default tag: latest\n");
  return withDefaultTag(reference);
}

/** Docker prints names of its hub in full, without a tag for all of them. */
function spelled(reference: Reference): string {
  return reference.domain === "docker.io" ? canonicalString(reference) : familiarString(reference);
}
