import { visibleText } from "#base";
import {
  compileTemplate,
  type GoKind,
  rawValue,
  type Template,
  TemplateError,
  typedValue,
} from "#template";
import type { Context } from "./context.ts";
import { Exit } from "./failure.ts";

/**
 * One line of a list: fields by docker's names; functions take an argument, and fields that cost
 * time are getters.
 */
export type Row = Readonly<Record<string, unknown>>;

export interface Listing {
  /** "table {{.ID}}\t{{.Names}}", as docker writes its default. */
  readonly table: string;
  /** Field to the head of its column. */
  readonly heads: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
}

export interface FormatFlags {
  readonly format: string | undefined;
  readonly json: boolean;
}

/** The flags of a list, with the format of config.json where none is given; names alone (`-q`) have none. */
export function withOwnFormat<F extends FormatFlags>(
  { settings }: Context,
  flags: F,
  list: keyof Context["settings"]["formats"],
): F {
  const isGiven = flags.format !== undefined || flags.json || ("quiet" in flags && flags.quiet);
  return isGiven ? flags : { ...flags, format: settings.formats[list] };
}

/** Prints a list as `--format` says: a table, JSON lines, or a template for each row. */
export async function printListing(
  context: Context,
  listing: Listing,
  flags: FormatFlags,
): Promise<void> {
  const format = flags.json ? "json" : flags.format || "table";
  await context.out.write(
    guarded(() => {
      if (format === "json") return listing.rows.map((row) => `${rowJson(row)}\n`).join("");
      if (format !== "table" && !format.startsWith("table ")) {
        // Names that strangers gave move no terminal; a program gets them as they are.
        const show = context.out.isTerminal ? visibleText : undefined;
        const template = compileTemplate(unescaped(format), show);
        return printable(listing.rows, format)
          .map((row) => `${template(row)}\n`)
          .join("");
      }
      const source = format === "table" ? listing.table : format;
      return table(unescaped(source.slice("table ".length)), listing, context);
    }),
  );
}

/** A template of the user's, whose errors are the user's; `shape`: the Go type of what it is for. */
export function userTemplate(source: string, shape?: GoKind): Template {
  const template = guarded(() => compileTemplate(unescaped(source)));
  return (data) => guarded(() => template(typedValue(data, shape)));
}

/** As docker's `inspect`: what the type does not have is looked for in the JSON itself. */
export function inspectTemplate(source: string): (data: unknown, shape: GoKind) => string {
  const template = guarded(() => compileTemplate(unescaped(source)));
  return (data, shape) => {
    try {
      return template(typedValue(data, shape));
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      return guarded(() => template(rawValue(data)));
    }
  };
}

/** docker ends the line of a single object even where its template has failed. */
export async function lineOnFailure(context: Context, show: () => string): Promise<string> {
  try {
    return show();
  } catch (error) {
    await context.out.write("\n");
    throw error;
  }
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TemplateError) throw new Exit(1, `template: ${error.message}`);
    throw error;
  }
}

/** Docker accepts tabs and newlines as they are typed between quotes of a shell. */
function unescaped(source: string): string {
  return source.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
}

function table(source: string, listing: Listing, context: Context): string {
  const [first = "", ...rest] = tableLines(source, listing);
  return [context.style.bold(first), ...rest].map((line) => `${line}\n`).join("");
}

function tableLines(source: string, listing: Listing): string[] {
  // Text of strangers, such as an image's history, does not move the terminal; the user's own
  // template may.
  const template = compileTemplate(source, visibleText);
  const head = template({ ...listing.heads, Label: (key: unknown) => String(key) });
  const lines = [head, ...printable(listing.rows, source).map(template)];
  return alignColumns(lines.map((line) => line.split("\t")));
}

/** The characters of the longest line of a listing's own table. */
export function tableWidth(listing: Listing): number {
  const lines = tableLines(listing.table.slice("table ".length), listing);
  return Math.max(...lines.map((line) => line.length));
}

/** As text/tabwriter does for docker: columns `gap` spaces apart and at least `least` wide, the last one as it is. */
export function alignColumns(rows: readonly (readonly string[])[], least = 10, gap = 3): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (let index = 0; index < row.length - 1; index++) {
      const width = (row[index]?.length ?? 0) + gap;
      if (width > (widths[index] ?? least)) widths[index] = width;
    }
  }
  return rows.map((row) => {
    let line = "";
    const last = row.length - 1;
    for (let index = 0; index < last; index++) {
      line += row[index]?.padEnd(widths[index] ?? least);
    }
    return line + (row[last] ?? "");
  });
}

function rowJson(row: Row): string {
  return JSON.stringify(plain(row));
}

/** A row as JSON has it: itself, or what its `toJSON` makes of it, without its functions, in the order of the alphabet. */
export function plain(row: Row): Row {
  const shown = typeof row.toJSON === "function" ? (row.toJSON() as Row) : row;
  const entries = Object.entries(shown).filter(([, value]) => typeof value !== "function");
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `{{json .}}` of a row is what `--format json` prints; other templates need no copies. */
function printable(rows: readonly Row[], source: string): readonly Row[] {
  if (!source.includes("json")) return rows;
  return rows.map((row) =>
    Object.defineProperty({ ...row }, "toJSON", { value: () => plain(row) }),
  );
}
