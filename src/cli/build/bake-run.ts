import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { OutputEntry, ResolvedTargets, Target } from "#bake";
import type { Context, Sink, Source } from "../context.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import { buildFlags } from "../table/build.ts";
import { build } from "../verb/build.ts";

type BuildFlags = Values<typeof buildFlags>;

/**
 * Builds targets side by side, each of them once those that it is linked to are built; gives the
 * exit status. What the builds of several targets tell is written with the target's name before it.
 */
export async function runTargets(context: Context, { targets }: ResolvedTargets): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "thimble-bake-"));
  try {
    return await new BakeRun(context, targets, directory).run();
  } finally {
    await rm(directory, { recursive: true });
  }
}

class BakeRun {
  readonly #context: Context;
  readonly #targets: ReadonlyMap<string, Target>;
  readonly #directory: string;
  /** The ids of images, by target. */
  readonly #builds = new Map<string, Promise<string | undefined>>();
  #status = 0;

  constructor(context: Context, targets: ReadonlyMap<string, Target>, directory: string) {
    this.#context = context;
    this.#targets = targets;
    this.#directory = directory;
  }

  async run(): Promise<number> {
    const ended = await Promise.allSettled(
      [...this.#targets.keys()].map((name) => this.#build(name)),
    );
    const failed = ended.find((each) => each.status === "rejected");
    if (failed) throw failed.reason;
    return this.#status;
  }

  #build(name: string): Promise<string | undefined> {
    const known = this.#builds.get(name);
    if (known) return known;
    const started = this.#run(name);
    this.#builds.set(name, started);
    return started;
  }

  async #run(name: string): Promise<string | undefined> {
    const target = this.#targets.get(name);
    if (!target) throw new Exit(1, `ERROR: failed to find target ${name}`);
    const contexts: string[] = [];
    for (const [key, value] of target.contexts ?? []) {
      contexts.push(
        `${key}=${value.startsWith("target:") ? await this.#linked(name, value) : value}`,
      );
    }
    const isLinkedTo = [...this.#targets.values()].some((each) =>
      [...(each.contexts ?? [])].some(([, value]) => value === `target:${name}`),
    );
    const iidfile = isLinkedTo ? join(this.#directory, name) : undefined;
    const flags = { ...flagsOf(target), "build-context": contexts, iidfile };
    const status = await build(this.#contextFor(name, target), {
      flags: this.#targets.size > 1 ? { ...flags, progress: "plain" } : flags,
      args: [target.context ?? "."],
      given: new Set(),
    });
    this.#status ||= status;
    return iidfile === undefined ? undefined : await readId(iidfile);
  }

  async #linked(name: string, value: string): Promise<string> {
    const other = value.slice("target:".length);
    const id = await this.#build(other);
    if (id !== undefined) return `docker-image://${id}`;
    throw new Exit(1, `ERROR: target ${other}, which ${name} is linked to, made no image`);
  }

  #contextFor(name: string, { dockerfileInline }: Target): Context {
    const { err, stdin } = this.#context;
    return {
      ...this.#context,
      err: this.#targets.size > 1 ? prefixed(err, `${name} | `) : err,
      stdin: dockerfileInline === undefined ? stdin : textSource(dockerfileInline),
    };
  }
}

/** The id that a build wrote; undefined when it made no image. */
async function readId(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, "utf8")).trim() || undefined;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes each line with a name before it; a line that is not ended yet waits. */
function prefixed(sink: Sink, prefix: string): Sink {
  let rest = "";
  return {
    isTerminal: false,
    columns: sink.columns,
    write: async (data) => {
      const lines = (rest + Buffer.from(data).toString()).split("\n");
      rest = lines.pop() ?? "";
      if (lines.length > 0) await sink.write(lines.map((line) => `${prefix}${line}\n`).join(""));
    },
  };
}

/** Standard input that holds a text. */
function textSource(text: string): Source {
  return {
    isTerminal: false,
    raw: () => undefined,
    size: () => undefined,
    async *read() {
      yield Buffer.from(text);
    },
  };
}

const initial = Object.fromEntries(
  Object.entries(buildFlags).map(([name, flag]) => [name, flag.initial]),
) as unknown as BuildFlags;

/** What `thimble build` is asked for a target. */
function flagsOf(target: Target): BuildFlags {
  const {
    context = ".",
    dockerfile = "Dockerfile",
    noCache = false,
    pull = false,
    shmSize,
  } = target;
  const file = isAbsolute(dockerfile) || isUrl(context) ? dockerfile : join(context, dockerfile);
  const outputs = target.outputs?.filter(({ type }) => type !== "cacheonly") ?? [];
  return {
    ...initial,
    "add-host": pairs(target.extraHosts, ":"),
    allow: target.entitlements ?? [],
    annotation: target.annotations ?? [],
    attest: (target.attest ?? []).map(({ type, options, isDisabled }) =>
      optionText([
        ["type", type],
        ...(isDisabled ? [["disabled", "true"] as const] : []),
        ...options,
      ]),
    ),
    "build-arg": pairs(target.args),
    "cache-from": (target.cacheFrom ?? []).map(({ type, options }) =>
      optionText([["type", type], ...options]),
    ),
    "cache-to": (target.cacheTo ?? []).map(({ type, options }) =>
      optionText([["type", type], ...options]),
    ),
    call: target.call,
    file: target.dockerfileInline === undefined ? file : "-",
    label: pairs(target.labels),
    network: target.network,
    "no-cache": noCache,
    "no-cache-filter": target.noCacheFilter ?? [],
    output: outputs.map(outputText),
    platform: target.platforms ?? [],
    pull,
    secret: (target.secrets ?? []).map(({ id, path, variable }) =>
      optionText([
        ["id", id],
        ...(path === "" ? [] : [["src", path] as const]),
        ...(variable === "" ? [] : [["env", variable] as const]),
      ]),
    ),
    ...(shmSize === undefined
      ? {}
      : { "shm-size": buildFlags["shm-size"].parse(shmSize, undefined) }),
    ssh: (target.ssh ?? []).map(({ id, paths }) =>
      paths.length === 0 ? id : `${id}=${paths.join(",")}`,
    ),
    tag: target.tags ?? [],
    target: target.target,
    ulimit: target.ulimits ?? [],
  };
}

function isUrl(context: string): boolean {
  return /^(?:https?|git|ssh):\/\/|^git@/.test(context);
}

function pairs(texts: ReadonlyMap<string, string | null> | undefined, separator = "="): string[] {
  return [...(texts ?? [])].flatMap(([key, value]) =>
    value === null ? [] : [`${key}${separator}${value}`],
  );
}

function outputText({ type, options, destination }: OutputEntry): string {
  const dest = destination === "" ? [] : [["dest", destination] as const];
  return optionText([["type", type], ...dest, ...options]);
}

/** Options in one line of CSV. */
function optionText(options: Iterable<readonly [key: string, value: string]>): string {
  return [...options]
    .map(([key, value]) => {
      const field = `${key}=${value}`;
      return /[,"]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
    })
    .join(",");
}
