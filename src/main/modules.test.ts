import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import modules from "../../modules.json" with { type: "json" };
import manifest from "../../package.json" with { type: "json" };

const root = join(import.meta.dir, "../..");
const names = modules.map((module) => module.name);

/** The modules that the files of one module import; its tests and test doubles see more. */
function importsOf(name: string): Set<string> {
  const folder = join(root, "src", name);
  const imported = new Set<string>();
  for (const file of new Bun.Glob("**/*.ts").scanSync({ cwd: folder })) {
    if (/(\.test|(^|\/)contract|(^|\/)testing)\.ts$/.test(file)) continue;
    const text = readFileSync(join(folder, file), "utf8");
    for (const match of text.matchAll(/\b(?:from|import)\s*\(?\s*"#([a-z0-9-]+)"/g))
      imported.add(match[1] ?? "");
  }
  return imported;
}

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
    const imported = importsOf(module.name);
    expect(module.sees).toEqual(names.filter((name) => imported.has(name)));
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
