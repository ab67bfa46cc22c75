import { DockerfileFault } from "./fault.ts";
import { trim } from "./space.ts";

/** The parser directives at the head of a Dockerfile, as they are written. */
export interface Directives {
  readonly syntax?: string;
  readonly check?: string;
  /** The character that escapes, and that continues lines at their end. */
  readonly escape: "\\" | "`";
}

type Name = "syntax" | "check" | "escape";
const names: ReadonlySet<string> = new Set<Name>(["syntax", "check", "escape"]);

/** Takes the lines of a Dockerfile's head, one after another, until one is no directive. */
export class DirectiveReader {
  readonly #values = new Map<string, string>();
  #isDone = false;

  /** Whether a comment, without blanks in front, is a directive; `invalid` for a second one of a name. */
  take(comment: string): boolean {
    const found = this.#isDone ? undefined : parseDirective(comment);
    if (!found) {
      this.#isDone = true;
      return false;
    }
    const { name, value } = found;
    if (this.#values.has(name)) {
      throw new DockerfileFault(`only one ${name} parser directive can be used`);
    }
    if (name === "escape" && value !== "\\" && value !== "`") {
      throw new DockerfileFault(`invalid escape token '${value}' does not match \` or \\`);
    }
    this.#values.set(name, value);
    return true;
  }

  /** No directive follows. */
  end(): void {
    this.#isDone = true;
  }

  get escape(): "\\" | "`" {
    return this.#values.get("escape") === "`" ? "`" : "\\";
  }

  get directives(): Directives {
    const syntax = this.#values.get("syntax");
    const check = this.#values.get("check");
    return {
      ...(syntax === undefined ? {} : { syntax }),
      ...(check === undefined ? {} : { check }),
      escape: this.escape,
    };
  }
}

/** "# name=value", with blanks around each part. */
function parseDirective(line: string): { name: string; value: string } | undefined {
  if (!line.startsWith("#")) return undefined;
  const equals = line.indexOf("=");
  if (equals < 0) return undefined;
  const name = trim(line.slice(1, equals)).toLowerCase();
  const value = trim(line.slice(equals + 1));
  return names.has(name) && value !== "" ? { name, value } : undefined;
}

/** The value of a directive at the head of a file, up to its first blank; a line that begins with "#!" may stand before it. */
export function findDirective(text: string, name: Name): string | undefined {
  const seen = new Set<string>();
  for (const line of text
    .replace(/^\ufeff/, "")
    .replace(/^#![^\n]*\n?/, "")
    .split("\n", 16)) {
    const found = parseDirective(line);
    if (!found || seen.has(found.name)) return undefined;
    seen.add(found.name);
    if (found.name === name) return found.value.split(" ", 1)[0];
  }
  return undefined;
}
