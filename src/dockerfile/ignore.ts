import { DockerfileFault } from "./fault.ts";
import { compilePattern, literalStart, type PathTest } from "./ignore-pattern.ts";
import { trim } from "./space.ts";

/** What the patterns say of a directory or file; for what is in it. */
export interface IgnoreState {
  readonly isIgnored: boolean;
  /** For each pattern, whether it matches the path or a directory above it. */
  readonly matched: Uint8Array;
}

interface Pattern {
  readonly isNegated: boolean;
  readonly start: string;
  readonly test: PathTest;
}

const maxPatterns = 10_000;

/** The name of the file with the patterns for a Dockerfile, before ".dockerignore" is looked for. */
export function ignoreFileFor(dockerfile: string): string {
  return `${dockerfile}.dockerignore`;
}

/** The patterns of a .dockerignore, in order: without comments, blanks and "/" in front. */
export function parseIgnoreFile(text: string): string[] {
  const patterns: string[] = [];
  for (const line of text.replace(/^\ufeff/, "").split("\n")) {
    const pattern = trim(line);
    if (line.startsWith("#") || pattern === "") continue;
    const isNegated = pattern.startsWith("!");
    const written = isNegated ? trim(pattern.slice(1)) : pattern;
    const path = written === "" ? "" : cleanPath(written);
    patterns.push((isNegated ? "!" : "") + (path.length > 1 ? path.replace(/^\//, "") : path));
  }
  return patterns;
}

/** Which paths of a context patterns leave out; the last pattern that matches a path decides. */
export class IgnoreMatcher {
  readonly #patterns: readonly Pattern[];
  /** For the top of the context. */
  readonly root: IgnoreState;

  /** `invalid` for a pattern that has no meaning. */
  constructor(patterns: readonly string[]) {
    if (patterns.length > maxPatterns) {
      throw new DockerfileFault(`.dockerignore has more than ${maxPatterns} patterns`);
    }
    this.#patterns = patterns.filter((pattern) => pattern !== "").map(compile);
    this.root = { isIgnored: false, matched: new Uint8Array(this.#patterns.length) };
  }

  /** The state of a path, from that of its directory: each pattern is tried once for each path of a walk. */
  step(above: IgnoreState, path: string): IgnoreState {
    const matched = new Uint8Array(this.#patterns.length);
    let isIgnored = false;
    for (const [index, { isNegated, test }] of this.#patterns.entries()) {
      // What cannot change the answer is not tried.
      const isMatch = above.matched[index] === 1 || (isNegated === isIgnored && test(path));
      if (!isMatch) continue;
      matched[index] = 1;
      isIgnored = !isNegated;
    }
    return { isIgnored, matched };
  }

  /** Whether a path or a directory above it is left out. */
  ignores(path: string): boolean {
    const parts = path.split("/");
    const paths = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
    let isIgnored = false;
    for (const { isNegated, test } of this.#patterns) {
      if (isNegated === isIgnored && paths.some(test)) isIgnored = !isNegated;
    }
    return isIgnored;
  }

  /** Whether a directory that is left out may hold paths that are not: some "!" pattern reaches into it. */
  mayHoldKept(directory: string): boolean {
    const inside = `${directory}/`;
    return this.#patterns.some(
      ({ isNegated, start }) => isNegated && (start.startsWith(inside) || inside.startsWith(start)),
    );
  }
}

function compile(pattern: string): Pattern {
  const isNegated = pattern.startsWith("!");
  if (pattern === "!") throw new DockerfileFault('illegal exclusion pattern: "!"');
  const path = cleanPath(isNegated ? pattern.slice(1) : pattern);
  return { isNegated, start: literalStart(path), test: compilePattern(path) };
}

/** Go's path.Clean: without empty and "." parts, and ".." with the part before it. */
function cleanPath(path: string): string {
  const isAbsolute = path.startsWith("/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!isAbsolute) parts.push(part);
  }
  return (isAbsolute ? "/" : "") + parts.join("/") || ".";
}
