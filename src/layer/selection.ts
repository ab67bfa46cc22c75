import { Fault, suggest } from "#base";
import { IgnoreMatcher, type IgnoreState } from "#dockerfile";
import { type Fd, fstatat, O_DIRECTORY, O_PATH, openat2 } from "#kernel";
import { nameToText, textToName } from "#tar";
import { resolveInRoot, statInRoot } from "./source-path.ts";
import {
  findDirectoryBelow,
  joinPath,
  namesIn,
  openDirectoryBelow,
  TreeWalk,
  typeOf,
  unlessGone,
  type WalkedEntry,
} from "./walk.ts";
import { pathOf } from "./whiteout.ts";
import { compileWildcard, hasWildcards, withoutEscapes } from "./wildcard.ts";

/** Files of a tree that COPY or ADD names. */
export interface Selection {
  /** The root of the tree. */
  readonly directory: string;
  /** From the root; may have wildcards of Go's filepath.Match. */
  readonly path: string;
  /** Of --parents: the pattern of what is taken below `path`, with the directories above it. */
  readonly parents?: string | undefined;
  /** Patterns of .dockerignore for paths below what `path` names. */
  readonly exclude: readonly string[];
  /** Patterns of .dockerignore for paths below the root: what they leave out is not there. */
  readonly ignore: readonly string[];
}

/** One source that a path names. */
export interface Match {
  /** As it is named, one character a byte, from the root; "" is the root. */
  readonly path: string;
  /** Where it is, all links followed. */
  readonly real: string;
  readonly isDirectory: boolean;
}

/** One file of a source, or a directory before and after what is in it. */
export type SelectedEntry =
  | (WalkedEntry & {
      readonly kind: "entry";
      /** It is a directory that is there for something within it alone. */
      readonly isImplied: boolean;
    })
  | { readonly kind: "leave"; readonly path: string };

/** Among more names in a directory none is proposed for a missing one. */
const maxProposed = 1000;

interface States {
  readonly ignore: IgnoreState;
  readonly exclude: IgnoreState;
  readonly parents: IgnoreState;
}

interface Level {
  readonly entry: WalkedEntry;
  readonly states: States;
  isMade: boolean;
}

/** Finds the files of a selection; what is not a directory, a file, a link or a node is left out. */
export class SelectionReader implements Disposable {
  readonly #root: Fd;
  readonly #selection: Selection;
  readonly #ignore: IgnoreMatcher;
  readonly #exclude: IgnoreMatcher;
  readonly #parents: IgnoreMatcher;

  constructor(selection: Selection) {
    this.#selection = selection;
    this.#ignore = new IgnoreMatcher(selection.ignore);
    this.#exclude = new IgnoreMatcher(selection.exclude);
    const { parents } = selection;
    this.#parents = new IgnoreMatcher(parents === undefined ? [] : [parents]);
    this.#root = openat2(undefined, selection.directory, { flags: O_PATH | O_DIRECTORY });
  }

  get root(): Fd {
    return this.#root;
  }

  /**
   * The sources, in the order of their bytes where there are wildcards; then there may be none.
   * `not_found` in BuildKit's words, with the path as `about`, for a source that is missing.
   */
  matches(): Match[] {
    const path = textToName(this.#selection.path);
    if (!hasWildcards(path)) return [this.#match(withoutEscapes(path))];
    return this.#expand(path).map((each) => this.#match(each));
  }

  #match(path: string): Match {
    const clean = path
      .split("/")
      .filter((part) => part !== "" && part !== ".")
      .join("/");
    const real = resolveInRoot(this.#root, clean);
    const stat = this.#isHidden(real) ? undefined : statInRoot(this.#root, real);
    const type = stat && typeOf(stat);
    if (!type) {
      const about = nameToText(`/${real}`);
      const near = this.#nearest(real);
      const hint = near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`;
      throw new Fault("not_found", `${JSON.stringify(about)}: not found${hint}`, { about });
    }
    return { path: clean, real, isDirectory: type === "directory" };
  }

  /** A path beside a missing one that is written almost like it. */
  #nearest(path: string): string | undefined {
    const slash = path.lastIndexOf("/");
    const directory = path.slice(0, Math.max(0, slash));
    const names = this.#namesIn(directory)
      .slice(0, maxProposed)
      .filter((name) => !this.#isHidden(joinPath(directory, name)));
    const near = suggest(nameToText(path.slice(slash + 1)), names.map(nameToText));
    return near === undefined ? undefined : `/${joinPath(nameToText(directory), near)}`;
  }

  #isHidden(path: string): boolean {
    if (path === "" || this.#selection.ignore.length === 0) return false;
    const text = nameToText(path);
    return this.#ignore.ignores(text) && !this.#ignore.mayHoldKept(text);
  }

  /** Links are followed before the first wildcard, and not behind it. */
  #expand(pattern: string): string[] {
    const parts = pattern.split("/").filter((part) => part !== "");
    const first = parts.findIndex(hasWildcards);
    const fixed = withoutEscapes(parts.slice(0, first).join("/"));
    const base = resolveInRoot(this.#root, fixed);
    if (this.#isHidden(base) || !statInRoot(this.#root, base)) {
      const about = nameToText(`/${fixed}`);
      throw new Fault("not_found", `lstat ${about}: no such file or directory`, { about });
    }
    let found = [base];
    for (const part of parts.slice(first)) {
      const test = compileWildcard(nameToText(part));
      found = found.flatMap((directory) =>
        this.#namesIn(directory)
          .filter((name) => test(nameToText(name)))
          .map((name) => joinPath(directory, name))
          .filter((path) => !this.#isHidden(path)),
      );
    }
    return found;
  }

  #namesIn(path: string): string[] {
    using directory = findDirectoryBelow(this.#root, path);
    return directory ? namesIn(directory) : [];
  }

  /**
   * The files of one source, with paths from it on: "" is the source itself. A directory comes before
   * what is in it, and is left behind it. Descriptors are valid until the next entry.
   */
  *entries({ real, isDirectory }: Match): Generator<SelectedEntry, void> {
    if (!isDirectory) {
      yield* this.#single(real);
      return;
    }
    using start = openDirectoryBelow(this.#root, real);
    using walk = new TreeWalk(start);
    const open: Level[] = [];
    for (const entry of walk.entries()) {
      while (open.length > 0 && !isBelow(entry.path, open.at(-1)?.entry.path)) {
        yield* leave(open.pop());
      }
      const states = this.#step(open.at(-1)?.states, real, entry.path);
      const isWanted = this.#wants(states, entry.path);
      const isTree = entry.type === "directory";
      if (!isWanted && !(isTree && this.#mayHold(states, real, entry.path))) {
        walk.passOver();
        continue;
      }
      if (isWanted) {
        for (const level of open) {
          if (!level.isMade) yield { kind: "entry", ...level.entry, isImplied: true };
          level.isMade = true;
        }
        yield { kind: "entry", ...entry, isImplied: false };
      }
      if (isTree) open.push({ entry, states, isMade: isWanted });
    }
    for (const level of open.reverse()) yield* leave(level);
  }

  *#single(path: string): Generator<SelectedEntry, void> {
    const slash = path.lastIndexOf("/");
    using directory = openDirectoryBelow(this.#root, path.slice(0, Math.max(0, slash)));
    const entry = pathOf(path.slice(slash + 1));
    const stat = unlessGone(() => fstatat(directory, entry, false));
    const type = stat && typeOf(stat);
    if (!type) return;
    yield { kind: "entry", directory, entry, path: "", type, stat, isImplied: false };
  }

  #step(above: States | undefined, real: string, path: string): States {
    if (!above) {
      const { root } = this.#ignore;
      const ignore = real === "" ? root : this.#stateOf(real);
      return { ignore, exclude: this.#exclude.root, parents: this.#parents.root };
    }
    const { ignore, exclude, parents } = this.#selection;
    const hasParents = parents !== undefined;
    if (ignore.length === 0 && exclude.length === 0 && !hasParents) return above;
    const text = nameToText(path);
    const whole = nameToText(joinPath(real, path));
    return {
      ignore: ignore.length > 0 ? this.#ignore.step(above.ignore, whole) : above.ignore,
      exclude: exclude.length > 0 ? this.#exclude.step(above.exclude, text) : above.exclude,
      parents: hasParents ? this.#parents.step(above.parents, text) : above.parents,
    };
  }

  #stateOf(path: string): IgnoreState {
    let state = this.#ignore.root;
    let at = "";
    for (const part of path.split("/")) {
      at = joinPath(at, part);
      state = this.#ignore.step(state, nameToText(at));
    }
    return state;
  }

  #wants({ ignore, exclude, parents }: States, path: string): boolean {
    if (ignore.isIgnored || exclude.isIgnored) return false;
    return path === "" || this.#selection.parents === undefined || parents.isIgnored;
  }

  /** Whether something in a directory that is not wanted itself may be. */
  #mayHold({ ignore, exclude, parents }: States, real: string, path: string): boolean {
    const text = nameToText(path);
    const whole = nameToText(path === "" ? real : joinPath(real, path));
    if (ignore.isIgnored && !this.#ignore.mayHoldKept(whole)) return false;
    if (exclude.isIgnored && !this.#exclude.mayHoldKept(text)) return false;
    return parents.isIgnored || path === "" || leadsTo(this.#selection.parents, text);
  }

  [Symbol.dispose](): void {
    this.#root.close();
  }
}

function* leave(level: Level | undefined): Generator<SelectedEntry, void> {
  if (level?.isMade) yield { kind: "leave", path: level.entry.path };
}

function isBelow(path: string, directory: string | undefined): boolean {
  return directory === "" || (directory !== undefined && path.startsWith(`${directory}/`));
}

/** Whether what a pattern matches may be below a directory. */
function leadsTo(pattern: string | undefined, directory: string): boolean {
  if (pattern === undefined) return true;
  const wanted = pattern.split("/");
  return directory.split("/").every((part, index) => {
    const test = wanted[index];
    if (test === undefined) return wanted.includes("**");
    return wanted.slice(0, index + 1).includes("**") || compileWildcard(test)(part);
  });
}
