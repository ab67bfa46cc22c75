import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import modules from "../../modules.json" with { type: "json" };
import manifest from "../../package.json" with { type: "json" };

const root = join(import.meta.dir, "../..");
const names = modules.map((module) => module.name);

/** An import of another file of this repository; both by their paths in it. */
interface Import {
  readonly from: string;
  readonly to: string;
  /** Whether `to` is loaded before `from`; types are not, nor what is loaded later. */
  readonly isNeeded: boolean;
}

// Found in the text, which the formatter makes safe.
const statement = /^(?:(?:import|export)( type)?\b[^"'`;]*?\bfrom|import) "([^"]+)"/gm;
const expression = /\bimport\(\s*"([^"]+)"/g;

/** Undefined for what comes from Bun, from Node.js or in a package. */
function resolve(from: string, name: string): string | undefined {
  if (name.startsWith("#")) return `src/${name.slice(1)}/index.ts`;
  return name.startsWith(".") ? join(dirname(from), name) : undefined;
}

function importsOf(from: string): Import[] {
  const text = readFileSync(join(root, from), "utf8");
  const found = [
    ...text.matchAll(statement).map(([, type, name = ""]) => ({ name, isNeeded: !type })),
    ...text.matchAll(expression).map(([, name = ""]) => ({ name, isNeeded: false })),
  ];
  return found.flatMap(({ name, isNeeded }) => {
    const to = resolve(from, name);
    return to === undefined ? [] : [{ from, to, isNeeded }];
  });
}

const files = [...new Bun.Glob("src/**/*.ts").scanSync({ cwd: root })].toSorted();
const imports = files.flatMap(importsOf);
const moduleOf = (file: string) => /^src\/([^/]+)\//.exec(file)?.[1] ?? "";
/** A module's tests and test doubles see more than it does. */
const isForTests = (file: string) => /(?:\.test|\/contract|\/testing)\.ts$/.test(file);
const shown = ({ from, to }: Import) => `${from} -> ${to}`;

/** ARCHITECTURE.md's table: a row for each module of modules.json, in its order. */
function table(): string {
  const rows = modules.map(
    ({ tier, name, what, sees }) =>
      `| ${tier} | ${name} | ${what} | ${sees.join(", ") || "nothing"} |`,
  );
  return ["| tier | module | what it is | may see |", "|---|---|---|---|", ...rows, ""].join("\n");
}

describe("modules.json", () => {
  test("names every folder of src and every import of package.json", () => {
    const folders = readdirSync(join(root, "src")).toSorted();
    expect(names.toSorted()).toEqual(folders);
    const aliases = Object.keys(manifest.imports).map((alias) => alias.slice(1));
    expect(aliases.toSorted()).toEqual(folders.filter((name) => name !== "main"));
  });

  test.each(modules)("lets $name see what it imports, in the order of the tiers", (module) => {
    const mine = imports.filter(({ from }) => moduleOf(from) === module.name && !isForTests(from));
    const seen = new Set(mine.map(({ to }) => moduleOf(to)));
    seen.delete(module.name);
    expect(module.sees).toEqual(names.filter((name) => seen.has(name)));
  });

  test.each(modules)("lists $name after what it sees", (module) => {
    const lower = names.slice(0, names.indexOf(module.name));
    expect(lower).toEqual(expect.arrayContaining(module.sees));
  });

  test("is the table of ARCHITECTURE.md; UPDATE=1 writes that anew", () => {
    const path = join(root, "ARCHITECTURE.md");
    const text = readFileSync(path, "utf8");
    const written = /^\| tier \|.*\n(?:\|.*\n)+/m.exec(text)?.[0] ?? "";
    if (process.env.UPDATE === "1") writeFileSync(path, text.replace(written, table));
    else expect(written).toBe(table());
  });
});

describe("imports", () => {
  test("lead to files", () => {
    expect(imports.length).toBeGreaterThan(files.length);
    expect(imports.filter(({ to }) => !existsSync(join(root, to))).map(shown)).toEqual([]);
  });

  test("enter a module by its index.ts, or by its testing.ts for tests", () => {
    const around = imports.filter(({ from, to }) => {
      const isOther = moduleOf(to) !== "" && moduleOf(to) !== moduleOf(from);
      return isOther && !/^src\/[^/]+\/(?:index|testing)\.ts$/.test(to);
    });
    expect(around.map(shown)).toEqual([]);
  });

  test("of the addon are in kernel alone", () => {
    const loading = imports.filter(
      ({ from, to }) => to.startsWith("native/") && !["kernel", "main"].includes(moduleOf(from)),
    );
    expect(loading.map(shown)).toEqual([]);
  });

  test("make no circle of files that need each other", () => {
    const needed = Map.groupBy(
      imports.filter(({ isNeeded }) => isNeeded),
      ({ from }) => from,
    );
    const done = new Set<string>();
    const circle = (file: string, path: readonly string[]): readonly string[] => {
      if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
      if (done.has(file)) return [];
      for (const { to } of needed.get(file) ?? []) {
        const found = circle(to, [...path, file]);
        if (found.length > 0) return found;
      }
      done.add(file);
      return [];
    };
    expect(files.map((file) => circle(file, [])).find(({ length }) => length > 0)).toBeUndefined();
  });
});
