import type { ListedVariable } from "./definition-reader.ts";
import { jsonDocument } from "./print.ts";
import type { Definition } from "./target.ts";

/** Rows in columns, as Go's tabwriter sets them with tabs of eight places. */
function tabbed(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) => {
    const widest = Math.max(...rows.map((row) => [...(row[column] ?? "")].length)) + 1;
    return Math.ceil(widest / 8) * 8;
  });
  const cell = (text: string, column: number, isLast: boolean) => {
    if (isLast) return text;
    const missing = (widths[column] ?? 8) - [...text].length;
    return text + "\t".repeat(Math.ceil(missing / 8));
  };
  return rows
    .map((row) => `${row.map((text, at) => cell(text, at, at === row.length - 1)).join("")}\n`)
    .join("");
}

/** `--list=targets`: groups with what is in them; names that begin with "_" are private. */
export function listTargets({ targets, groups }: Definition, format: "table" | "json"): string {
  const listed = [
    ...targets.map(({ name, description = "" }) => ({ name, description, isGroup: false })),
    ...groups.map(({ name, description = "", targets: members }) => {
      const names = [...members].sort().join(", ");
      const shown =
        description === "" ? names : `${description}${names === "" ? "" : ` (${names})`}`;
      return { name, description: shown, isGroup: true };
    }),
  ]
    .filter(({ name }) => !name.startsWith("_"))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  if (format === "table") {
    return tabbed([
      ["TARGET", "DESCRIPTION"],
      ...listed.map(({ name, description }) => [name, description]),
    ]);
  }
  if (listed.length === 0) return "null\n";
  const shown = listed.map(
    ({ name, description, isGroup }) =>
      new Map<string, string | boolean | undefined>([
        ["name", name],
        ["description", description === "" ? undefined : description],
        ["group", isGroup ? true : undefined],
      ]),
  );
  return `${jsonDocument(shown)}\n`;
}

/** `--list=variables`. */
export function listVariables(
  variables: readonly ListedVariable[],
  format: "table" | "json",
): string {
  if (format === "table") {
    const rows = variables.map(({ name, type = "", value = "<null>", description = "" }) => [
      name,
      type,
      value,
      description,
    ]);
    return tabbed([["VARIABLE", "TYPE", "VALUE", "DESCRIPTION"], ...rows]);
  }
  const shown = variables.map(
    ({ name, type, value, description }) =>
      new Map([
        ["name", name],
        ["type", type],
        ["description", description === "" ? undefined : description],
        ["value", value],
      ]),
  );
  return `${jsonDocument(shown)}\n`;
}
