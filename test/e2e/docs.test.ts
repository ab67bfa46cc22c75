import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dir, "../..");

const documents = [...new Bun.Glob("**/*.md").scanSync({ cwd: root })].filter(
  (file) => !file.includes("node_modules/") && !file.startsWith("bench/results/"),
);

/** Relative links of a document as [target, fragment]. */
function links(text: string): (readonly [string, string])[] {
  return [...text.matchAll(/\]\(([^)#\s]*)(?:#([^)\s]+))?\)/g)]
    .map((match) => [match[1] ?? "", match[2] ?? ""] as const)
    .filter(([target]) => target !== "" && !/^[a-z]+:/.test(target));
}

describe("documents", () => {
  test("there are the ones that a newcomer looks for", () => {
    for (const file of [
      "README.md",
      "ARCHITECTURE.md",
      "CONTRIBUTING.md",
      "CHANGELOG.md",
      "docs/journeys/run.md",
    ]) {
      expect(documents).toContain(file);
    }
  });

  test("decisions are numbered without gaps, in their names and titles", () => {
    const decisions = documents.filter((file) => /^docs\/decisions\/\d/.test(file)).sort();
    const numbers = decisions.map((file) => Number(/(\d+)-/.exec(file)?.[1]));
    expect(numbers).toEqual(decisions.map((_, index) => index + 1));
    for (const [index, file] of decisions.entries())
      expect(readFileSync(join(root, file), "utf8")).toMatch(new RegExp(`^# ${index + 1}\\D`));
  });

  test.each(documents)("every link of %s leads somewhere", (document) => {
    const lost: string[] = [];
    for (const [target, fragment] of links(readFileSync(join(root, document), "utf8"))) {
      const file = join(root, dirname(document), target);
      if (!existsSync(file)) lost.push(target);
      else if (fragment !== "" && !readFileSync(file, "utf8").includes(fragment))
        lost.push(`${target}#${fragment}`);
    }
    expect(lost).toEqual([]);
  });
});
