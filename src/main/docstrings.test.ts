import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import modules from "../../modules.json" with { type: "json" };

/*
 * A docstring stands before each function and class that a file exports, and before each
 * interface, function type, number and method that a module shows through its index.ts. Exempt:
 * a number in capitals, which has the name that the kernel's headers give it, and the methods of
 * a class that implements an interface, which are described there.
 *
 * Files are read line by line, which the formatter makes safe: what is declared at the top
 * level begins at the first column, a member at the third.
 */
const src = join(import.meta.dir, "..");
const declaration =
  /^export (?:async |abstract )*(function\*?|class|interface|const|type) (\w+)(.*)$/;
const method = /^ {2}(?:async |static )*\*?(?!constructor)([a-zA-Z]\w*)\??(?:<.*>)?\(/;
const reexport = /^export (?:type )?(?:\*|\{([^}]*)\}) from "\.(.+)";$/gm;

/** The names that a module shows, by file; undefined stands for all of a file. */
type Shown = Map<string, readonly string[] | undefined>;

function showing(file: string, names: readonly string[] | undefined, shown: Shown): Shown {
  const before = shown.has(file) ? shown.get(file) : [];
  shown.set(file, names && before && [...before, ...names]);
  for (const [, list, from = ""] of readFileSync(file, "utf8").matchAll(reexport)) {
    const listed = list?.split(",").map((item) => item.trim().replace(/^type | as .*$/g, ""));
    const named = names ? listed?.filter((name) => names.includes(name)) : listed;
    if (named?.length !== 0) showing(join(dirname(file), `.${from}`), named ?? names, shown);
  }
  return shown;
}

function needsDocstring(kind: string, name: string, value: string): boolean {
  if (kind === "type") return value.includes("=>");
  if (kind !== "const") return true;
  return name !== name.toUpperCase() && /=>|= [\d(][\d_ *()+-]*;$/.test(value);
}

/** What a file lacks, of which a module shows `shown`. */
function lacking(file: string, shown: readonly string[] | undefined): string[] {
  const found: string[] = [];
  let within = "";
  const lines = readFileSync(file, "utf8").split("\n");
  for (const [index, line] of lines.entries()) {
    const documented = lines[index - 1]?.endsWith("*/") ?? false;
    const [, kind = "", name = "", rest = ""] = declaration.exec(line) ?? [];
    const isShown = shown?.includes(name) ?? true;
    if (line === "}") within = "";
    if (isShown && /class|interface/.test(kind) && rest.endsWith("{"))
      within = / implements (?!(?:Async)?Disposable)/.test(rest) ? "" : name;
    const value = rest.endsWith("=") ? `${rest} ${lines[index + 1]?.trim()}` : rest;
    const counts = kind !== "" && (isShown || /function|class/.test(kind));
    if (counts && !documented && needsDocstring(kind, name, value)) found.push(name);
    const member = method.exec(line)?.[1];
    if (within !== "" && member !== undefined && !documented) found.push(`${within}.${member}`);
  }
  return found;
}

test.each(modules)("$name: what is exported has its docstring", ({ name: module }) => {
  const folder = join(src, module);
  const shown: Shown =
    module === "main" ? new Map() : showing(join(folder, "index.ts"), undefined, new Map());
  const files = [...new Bun.Glob("**/*.ts").scanSync(folder)].filter(
    (file) => !/(\.test|(^|\/)contract|(^|\/)testing)\.ts$/.test(file),
  );
  const found = files.flatMap((file) => {
    const path = join(folder, file);
    const names = shown.has(path) ? shown.get(path) : [];
    return lacking(path, names).map((name) => `${file}: ${name}`);
  });
  expect(found).toEqual([]);
});
