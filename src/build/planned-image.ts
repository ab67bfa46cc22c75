import { defined } from "#base";
import type { HistoryEntry, ImageConfig, ImageDefaults, Platform } from "#image";
import type { Operation } from "./operation.ts";

/** An entry of an image's history to be; with the operation that makes its layer, if one does. */
export interface PlannedHistory {
  readonly entry: HistoryEntry;
  readonly operation?: Operation;
}

/** The configuration of an image before its layers and its time are known. */
export interface PlannedImage {
  /** Fields of the base's configuration that this program does not know stay in it. */
  readonly base: ImageConfig | undefined;
  readonly platform: Platform;
  readonly author?: string;
  readonly config: ImageDefaults;
  /** Of the steps above the base. */
  readonly history: readonly PlannedHistory[];
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The comment of what a Dockerfile's instruction adds, as BuildKit has it. */
const comment = "buildkit.dockerfile.v0";

/** The configuration of a stage while its instructions are gone through. */
export class ImageDraft {
  readonly #base: ImageConfig | undefined;
  readonly #platform: Platform;
  readonly #history: PlannedHistory[];
  readonly config: Writable<ImageDefaults> & { ArgsEscaped?: boolean };
  author: string | undefined;

  private constructor(
    image: Pick<PlannedImage, "base" | "platform" | "history" | "config" | "author">,
  ) {
    this.#base = image.base;
    this.#platform = image.platform;
    this.#history = [...image.history];
    const { OnBuild: _triggers, ...config } = image.config;
    this.config = config;
    this.author = image.author;
  }

  /** A stage's start on an image, or on nothing; what ONBUILD left does not stay. */
  static from(base: ImageConfig | undefined, platform: Platform): ImageDraft {
    const config = base ? (base.config ?? {}) : { WorkingDir: "/" };
    const author = base?.author;
    return new ImageDraft({ base, platform, history: [], config, ...defined({ author }) });
  }

  /** A stage's start on the end of another stage. */
  static above(image: PlannedImage): ImageDraft {
    return new ImageDraft(image);
  }

  /** Adds to the history; with an operation its layer, and BuildKit's mark unless `isPlain`. */
  record(text: string, operation?: Operation, { isPlain = false } = {}): void {
    const created_by = operation && !isPlain ? `${text} # buildkit` : text;
    this.#history.push({
      entry: { created_by, comment, ...(operation ? {} : { empty_layer: true }) },
      ...(operation && { operation }),
    });
  }

  setVariable(name: string, value: string): void {
    const env = [...(this.config.Env ?? [])];
    const at = env.findIndex((each) => each.split("=", 1)[0] === name);
    if (at < 0) env.push(`${name}=${value}`);
    else env[at] = `${name}=${value}`;
    this.config.Env = env;
  }

  finish(): PlannedImage {
    return {
      base: this.#base,
      platform: this.#platform,
      ...defined({ author: this.author }),
      config: { ...this.config },
      history: [...this.#history],
    };
  }
}

/** What the steps of a plan have made. */
export interface Outcome {
  /** The diff ids of all layers, lowest first. */
  readonly diffIds: ImageConfig["rootfs"]["diff_ids"];
  /** Whether an operation has added a layer; one that changed nothing has none. */
  readonly hasLayer: (operation: Operation) => boolean;
  /** RFC 3339; of the image, and of the entries of its history that are new. */
  readonly created: string;
}

/** The configuration of the image that a plan describes, in the order of BuildKit's fields. */
export function composeConfig(image: PlannedImage, outcome: Outcome): ImageConfig {
  const { base, platform, author, config, history } = image;
  const { diffIds, hasLayer, created } = outcome;
  const { history: before = [], author: _author, variant: _variant, ...rest } = base ?? {};
  const entries = history.map(({ entry, operation }): HistoryEntry => {
    const { comment: about, empty_layer: _empty, ...text } = entry;
    const isEmpty = !operation || !hasLayer(operation);
    return {
      created,
      ...text,
      ...defined({ comment: about }),
      ...(isEmpty && { empty_layer: true }),
    };
  });
  return {
    ...rest,
    architecture: platform.architecture,
    os: platform.os,
    ...defined({ variant: platform.variant, author }),
    created,
    config,
    rootfs: { type: "layers", diff_ids: diffIds },
    history: [...before, ...entries],
  };
}
