import type { MakeImage } from "#client";
import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { commaList, type Flags, list, text, type Values } from "../flag.ts";
import { commandHelp } from "../help.ts";
import { FlagError, parseFlags } from "../parse-flags.ts";
import { showProgress } from "../progress.ts";
import { sourceDateEpoch } from "../source-date.ts";
import { mkimageFlags } from "../table/images.ts";
import { tarFiles } from "../tar-files.ts";

type Common = Values<typeof mkimageFlags>;

const scratchFlags = {
  ...mkimageFlags,
  cmd: list("The command of the image, word by word (default: the first file)", {
    placeholder: "word",
  }),
};

const debootstrapFlags = {
  ...mkimageFlags,
  variant: text("Set of packages: minbase, buildd, or - for all of the base system", {
    shownDefault: "minbase",
    complete: ["minbase", "buildd", "-"],
  }),
  include: commaList("Further packages, with commas between"),
  mirror: text("URL of the Debian mirror (default: from the host's apt sources)"),
  keyring: text(
    "Keyring for the archive's signature, on the engine's machine (default: Debian's)",
    {
      complete: "file",
    },
  ),
};

interface Method<F extends Flags> {
  readonly usage: string;
  readonly summary: string;
  readonly flags: F;
  readonly examples: readonly { command: string; what: string }[];
  /** The request that the words make; undefined when they are too few or too many. */
  request(name: string, flags: Values<F>, args: readonly string[]): MakeImage | undefined;
}

const scratch: Method<typeof scratchFlags> = {
  usage: "-t NAME [OPTIONS] FILE[:PATH_IN_IMAGE]...",
  summary: "Make an image of these files alone; they must be static binaries or data",
  flags: scratchFlags,
  examples: [
    {
      command: "mkimage -t web scratch ./server",
      what: "make an image of /server, and run it by default",
    },
    {
      command: "mkimage -t web scratch --cmd /bin/server --cmd -v ./server:/bin/server",
      what: "another place and arguments",
    },
  ],
  request(reference, flags, args) {
    if (args.length === 0) return undefined;
    return {
      method: "scratch",
      reference,
      ...(flags.cmd.length > 0 ? { cmd: flags.cmd } : {}),
      files: tarFiles(args),
    };
  },
};

const debootstrap: Method<typeof debootstrapFlags> = {
  usage: "-t NAME [OPTIONS] SUITE",
  summary:
    "Make a Debian image from verified packages; this machine needs no debootstrap, apt or dpkg",
  flags: debootstrapFlags,
  examples: [
    {
      command: "mkimage -t debian debootstrap bookworm",
      what: "make the smallest Debian that has apt",
    },
    {
      command: "mkimage -t web debootstrap --include=nginx-light bookworm",
      what: "with a package and all that it needs",
    },
  ],
  request(reference, flags, args) {
    const [suite, ...rest] = args;
    if (suite === undefined || rest.length > 0) return undefined;
    const { variant, include, mirror, keyring } = flags;
    return { method: "debootstrap", reference, suite, variant, include, mirror, keyring };
  },
};

export const mkimage: Verb<typeof mkimageFlags> = async (context, { flags, args }) => {
  const [name = "", ...words] = args;
  if (name === "scratch")
    return await make(context, { name, method: scratch, common: flags, words });
  if (name === "debootstrap") {
    return await make(context, { name, method: debootstrap, common: flags, words });
  }
  throw new Exit(
    1,
    `thimble: unknown method: ${name}\n\nThe methods are scratch and debootstrap; 'thimble mkimage METHOD --help' explains one`,
  );
};

async function make<F extends typeof mkimageFlags & Flags>(
  context: Context,
  input: { name: string; method: Method<F>; common: Common; words: readonly string[] },
): Promise<number> {
  const { name, method, common, words } = input;
  const path = ["mkimage", name];
  const usage = `Usage:  thimble ${path.join(" ")} ${method.usage}\n\nRun 'thimble ${path.join(" ")} --help' for more information`;
  const parsed = parse(method.flags, words, usage);
  if (parsed.help) {
    const { style, out } = context;
    await out.write(commandHelp(path, method, { style, columns: out.columns }));
    return 0;
  }
  const own = parsed.flags as Common;
  const tag = own.tag ?? common.tag;
  if (!tag) throw new Exit(1, `thimble: the image needs a name: -t NAME\n\n${usage}`);
  const request = method.request(tag, parsed.flags, parsed.args);
  if (!request) throw new Exit(1, `thimble: '${path.join(" ")}' takes other arguments\n\n${usage}`);
  const json = own.json || common.json;
  const quiet = own.quiet || common.quiet;
  return await cancellable(async (signal) => {
    const messages = context.client.images.make(
      request.method === "scratch" ? { ...request, epoch: sourceDateEpoch(context.env) } : request,
      signal,
    );
    const id = await showProgress(context, messages, json ? "json" : quiet ? "quiet" : "auto");
    if (!json && id) await context.out.write(quiet ? `${id}\n` : `Made ${tag} (${id})\n`);
    return 0;
  }, "canceled; no image was made");
}

function parse<F extends Flags>(flags: F, words: readonly string[], usage: string) {
  try {
    return parseFlags(flags, words, { interspersed: true });
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    const meant = error.meant ? `\nDid you mean ${error.meant}?\n` : "";
    throw new Exit(125, `${error.message}\n${meant}\n${usage}`);
  }
}
