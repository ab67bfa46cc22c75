import { describe, expect, test } from "bun:test";
import { IgnoreMatcher, ignoreFileFor, parseIgnoreFile } from "./ignore.ts";
import recorded from "./testdata/ignored.json" with { type: "json" };

describe("a path is left out", () => {
  // pattern, paths that are left out, paths that are not
  test.each<[string, string[], string[]]>([
    ["a", ["a", "a/b", "a/b/c"], ["b/a", "ab"]],
    ["a/", ["a", "a/b"], ["b/a"]],
    ["/a", ["a"], ["b/a"]],
    ["a/b", ["a/b", "a/b/c"], ["a", "a/c", "x/a/b"]],
    ["a/../b", ["b"], ["a"]],
    ["*.md", ["x.md", ".md"], ["a/x.md", "x.mdx"]],
    ["*/*.md", ["a/x.md"], ["x.md", "a/b/x.md"]],
    ["**/*.md", ["x.md", "a/x.md", "a/b/x.md"], ["x.mdx"]],
    ["**", ["a", "a/b"], []],
    ["**/a", ["a", "b/a", "b/a/c"], ["ba"]],
    ["a/**", ["a/b", "a/b/c"], ["a", "ab"]],
    ["a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "ab"]],
    ["a**", ["a", "ab", "ab/c"], ["b"]],
    ["a**b", ["ab", "ax/b"], ["axb"]],
    ["**a", ["a", "xa", "x/ya"], ["ab/c"]],
    ["?", ["a", "b/c"], ["aa"]],
    ["a?c", ["abc"], ["ac", "a/c"]],
    ["[a-c]x", ["ax", "cx"], ["dx", "x"]],
    ["[^a-c]x", ["dx"], ["ax"]],
    ["\\*", ["*"], ["a"]],
    ["a.b", ["a.b"], ["axb"]],
    ["a+(b)|{c}^", ["a+(b)|{c}^"], ["aab"]],
    ["*a*b*c", ["abc", "xaybzc", "aabbcc"], ["acb", "a/bc"]],
  ])("by %s", (pattern, left, kept) => {
    const matcher = new IgnoreMatcher(parseIgnoreFile(pattern));
    const said = (path: string) => [path, matcher.ignores(path), walk(matcher, path)];
    expect(left.map(said)).toEqual(left.map((path) => [path, true, true]));
    expect(kept.map(said)).toEqual(kept.map((path) => [path, false, false]));
  });

  test("unless a later pattern takes it in again", () => {
    const matcher = new IgnoreMatcher(["a", "!a/b", "a/b/c", "!*.md", "x.md"]);
    const paths = ["a", "a/x", "a/b", "a/b/c", "a/b/d", "y.md", "x.md", "z"];
    expect(paths.filter((path) => walk(matcher, path))).toEqual(["a", "a/x", "a/b/c", "x.md"]);
    expect(paths.filter((path) => matcher.ignores(path))).toEqual(["a", "a/x", "a/b/c", "x.md"]);
  });
});

/** As a walk finds it, directory by directory, which enters only those that may hold something. */
function walk(matcher: IgnoreMatcher, path: string): boolean {
  let state = matcher.root;
  let at = "";
  for (const part of path.split("/")) {
    if (state.isIgnored && !matcher.mayHoldKept(at)) return true;
    at = at === "" ? part : `${at}/${part}`;
    state = matcher.step(state, at);
  }
  return state.isIgnored;
}

/** What `docker buildx build` of Docker 28.5 copies from a context of these paths. */
test.each(Object.entries(recorded.kept))("a context is sent as by buildx: %j", (text, kept) => {
  const matcher = new IgnoreMatcher(parseIgnoreFile(text));
  expect(recorded.paths.filter((path) => !walk(matcher, path))).toEqual(kept);
});

test("a directory that is left out is entered only where a pattern may take something in again", () => {
  const matcher = new IgnoreMatcher(["**", "!src/*.ts", "!docs/**/x"]);
  const entered = ["src", "docs", "docs/a", "test", "srcx"].filter((path) =>
    matcher.mayHoldKept(path),
  );
  expect(entered).toEqual(["src", "docs", "docs/a"]);
  expect(new IgnoreMatcher(["a"]).mayHoldKept("a")).toBe(false);
});

test("a file of patterns has comments, blanks and slashes", () => {
  const text = "\ufeff# a comment\n  a  \n\n/b\n ! /c/ \n./d//e/\r\n #no comment\n/\n";
  expect(parseIgnoreFile(text)).toEqual(["a", "b", "!c", "d/e", "#no comment", "/"]);
  expect(ignoreFileFor("x/web.Dockerfile")).toBe("x/web.Dockerfile.dockerignore");
});

test.each(["a[", "[]", "[-a]", "a\\", "!"])("the pattern %s is refused", (pattern) => {
  expect(() => new IgnoreMatcher([pattern])).toThrow(/syntax error|illegal exclusion/);
});
