import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import modules from "../../modules.json" with { type: "json" };

/*
 * A docstring stands before each function, class, interface, function type and number that a
 * module exports through its index.ts, and before each method that others may call. Exempt: a
 * number in capitals, which has the name that the kernel's headers give it, and the methods of
 * a class that implements an interface, which are described there.
 *
 * Files are read line by line, which the formatter makes safe: what is declared at the top
 * level begins at the first column, a member at the third.
 */
const src = join(import.meta.dir, "..");
const declaration =
  /^export (?:async |abstract )*(function\*?|class|interface|const|type) (\w+)(.*)$/;
const method = /^ {2}(?:async |static )*\*?(?!constructor)([a-zA-Z]\w*)\??(?:<.*>)?\(/;
const reexport = /^export (?:type )?(?:\*|\{([^}]*)\}) from "(\.[^"]+)";$/gm;

function needsDocstring(kind: string, name: string, value: string): boolean {
  if (kind === "type") return value.includes("=>");
  if (kind !== "const") return true;
  return name !== name.toUpperCase() && /=>|= [\d(][\d_ *()+-]*;$/.test(value);
}

/** What the file exports without a docstring; of `wanted` alone, when given. */
function bareIn(file: string, wanted: readonly string[] | undefined): string[] {
  const bare: string[] = [];
  let within = "";
  const lines = readFileSync(file, "utf8").split("\n");
  for (const [index, line] of lines.entries()) {
    const documented = lines[index - 1]?.endsWith("*/") ?? false;
    const [, kind = "", name = "", rest = ""] = declaration.exec(line) ?? [];
    if (line === "}") within = "";
    if (kind !== "" && (wanted?.includes(name) ?? true)) {
      const describedElsewhere = / implements (?!(?:Async)?Disposable)/.test(rest);
      if (/class|interface/.test(kind) && rest.endsWith("{") && !describedElsewhere) within = name;
      const value = rest.endsWith("=") ? `${rest} ${lines[index + 1]?.trim()}` : rest;
      if (!documented && needsDocstring(kind, name, value)) bare.push(name);
    }
    const member = method.exec(line)?.[1];
    if (within !== "" && member !== undefined && !documented) bare.push(`${within}.${member}`);
  }
  return bare.map((name) => `${relative(src, file)}: ${name}`);
}

/** What the file and those it exports from lack, each once. */
function lacking(file: string, wanted?: readonly string[]): string[] {
  if (!existsSync(file)) return [];
  const found = bareIn(file, wanted);
  for (const [, list, from = ""] of readFileSync(file, "utf8").matchAll(reexport)) {
    const names = list?.split(",").map((item) => item.trim().replace(/^type | as .*$/g, ""));
    found.push(...lacking(join(dirname(file), from), names?.filter(Boolean) ?? wanted));
  }
  return [...new Set(found)];
}

const waiting = "registry-client registry-server";

test.each(modules.filter(({ name }) => !waiting.split(" ").includes(name)))(
  "what $name exports has its docstring",
  ({ name }) => expect(lacking(join(src, name, "index.ts"))).toEqual([]),
);
