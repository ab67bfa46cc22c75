import { Fault } from "./fault.ts";

/** What Go calls these classes of ASCII, within brackets. */
const posixClasses: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: "\\x00-\\x7f",
  blank: "\\t ",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-\\/:-@\\[-`\\{-~",
  space: "\\t\\n\\v\\f\\r ",
  upper: "A-Z",
  word: "\\w",
  xdigit: "0-9A-Fa-f",
};

/** Escapes that this runtime has not, outside and within brackets. */
const escapes: Readonly<Record<string, readonly [outside: string, inside: string]>> = {
  A: ["(?<![\\s\\S])", ""],
  z: ["(?![\\s\\S])", ""],
  a: ["\\x07", "\\x07"],
  s: ["[\\t\\n\\f\\r ]", "\\t\\n\\f\\r "],
  S: ["[^\\t\\n\\f\\r ]", "\\S"],
};

/** Longer ones are not looked at: to compile them takes too long. */
const maxLength = 4096;

/**
 * A regular expression of Go's (re2.dev/syntax) as one of this runtime, which matches the same texts.
 * `invalid`, in Go's words, for what Go refuses; also for the ungreedy flag U, `\C`, and negated
 * classes of POSIX, which have no like here. It may go back without end, as Go's never do.
 */
export function goPattern(source: string): RegExp {
  if (source.length > maxLength) throw refused("expression too large", source.slice(0, 32));
  try {
    return new RegExp(new Translation(source).text(), "u");
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    const [, why = "invalid syntax"] = /: ([^:]*)$/.exec((cause as Error).message) ?? [];
    throw refused(why, source);
  }
}

function refused(why: string, part: string): Fault {
  return new Fault("invalid", `error parsing regexp: ${why}: \`${part}\``, { about: part });
}

class Translation {
  readonly #source: string;
  #at = 0;
  /** Of each open group: whether `.` takes a newline, and the groups to close with it. */
  readonly #groups: { dotAll: boolean; extra: number }[] = [{ dotAll: false, extra: 0 }];

  constructor(source: string) {
    this.#source = source;
  }

  text(): string {
    let out = "";
    while (this.#at < this.#source.length) out += this.#next();
    const { extra } = this.#group;
    return out + ")".repeat(extra);
  }

  get #group() {
    return this.#groups.at(-1) ?? { dotAll: false, extra: 0 };
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    const sticky = new RegExp(pattern.source, `${pattern.flags}y`);
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#source) ?? undefined;
    if (found) this.#at += found[0].length;
    return found;
  }

  #next(): string {
    if (this.#take(/\\Q/)) return quoted(this.#take(/(.*?)(?:\\E|$)/s)?.[1] ?? "");
    if (this.#source[this.#at] === "\\") return this.#escape(0);
    if (this.#take(/\./)) return this.#group.dotAll ? "[\\s\\S]" : "[^\\n]";
    if (this.#source[this.#at] === "[") return this.#class();
    if (this.#source[this.#at] === "(") return this.#open();
    if (this.#take(/\)/)) return `)${")".repeat(this.#groups.pop()?.extra ?? 0)}`;
    const repeat = this.#take(/\{(\d+)(?:,(\d*))?\}/);
    if (repeat) {
      if (Number(repeat[1]) > 1000 || Number(repeat[2] ?? 0) > 1000)
        throw refused("invalid repeat count", repeat[0]);
      return repeat[0];
    }
    const plain = String.fromCodePoint(this.#source.codePointAt(this.#at) ?? 0);
    this.#at += plain.length;
    return /[{}\]]/.test(plain) ? `\\${plain}` : plain;
  }

  #open(): string {
    const { dotAll } = this.#group;
    const around = this.#take(/\(\?<?[=!]/);
    if (around) throw refused("invalid or unsupported Perl syntax", around[0]);
    const named = this.#take(/\(\?P?<(\w+)>/);
    const flags = named ? undefined : this.#take(/\(\?([imsU]*)(?:-([imsU]+))?([:)])/);
    if (!named && !flags && !this.#take(/\((?!\?)/))
      throw refused(
        "invalid or unsupported Perl syntax",
        this.#source.slice(this.#at, this.#at + 3),
      );
    if (!flags) {
      this.#groups.push({ dotAll, extra: 0 });
      return named ? `(?<${named[1]}>` : "(";
    }
    const [whole, on = "", off = "", end] = flags;
    if (`${on}${off}`.includes("U")) throw refused("unsupported flag", whole);
    const isAll = on.includes("s") || (dotAll && !off.includes("s"));
    const [more, less] = [on, off].map((each) => [...new Set(each.replaceAll("s", ""))].join(""));
    const group = `(?${more}${less ? `-${less}` : ""}:`;
    // Flags alone hold up to the end of the group that they stand in.
    if (end === ":") this.#groups.push({ dotAll: isAll, extra: 0 });
    else Object.assign(this.#group, { dotAll: isAll, extra: this.#group.extra + 1 });
    return group;
  }

  #class(): string {
    let out = this.#take(/\[\^?\]?/)?.[0].replace("]", "\\]") ?? "";
    for (;;) {
      const named = this.#take(/\[:(\^?)(\w+):\]/);
      const members = named && !named[1] ? posixClasses[named[2] ?? ""] : undefined;
      if (named && members === undefined) throw refused("invalid character class range", named[0]);
      if (members !== undefined) out += members;
      else if (this.#take(/\]/)) return `${out}]`;
      else if (this.#at >= this.#source.length) throw refused("missing closing ]", out);
      else if (this.#source[this.#at] === "\\") out += this.#escape(1);
      else out += this.#take(/[\s\S]/u)?.[0].replace(/[[{}()|/]/, "\\$&") ?? "";
    }
  }

  /** `place` is 0 outside of brackets, 1 within. */
  #escape(place: 0 | 1): string {
    const property = this.#take(/\\([pP])(?:([A-Z])|\{(\^?)(\w+)\})/);
    if (property) {
      const [, kind = "p", letter, not, name = letter ?? ""] = property;
      const sign = not ? (kind === "p" ? "P" : "p") : kind;
      return name.length <= 2 ? `\\${sign}{${name}}` : `\\${sign}{Script=${name}}`;
    }
    const point = this.#take(/\\x\{([0-9a-fA-F]{1,6})\}/);
    if (point) return `\\u{${point[1]}}`;
    const octal = this.#take(/\\([0-7]{2,3}|0)/);
    if (octal) return `\\u{${Number.parseInt(octal[1] ?? "0", 8).toString(16)}}`;
    const [whole = "\\", letter = ""] = this.#take(/\\([\s\S])/u) ?? [];
    if (/[1-9CcukEQZGX]/.test(letter) || letter === "")
      throw refused("invalid escape sequence", whole);
    const own = escapes[letter]?.[place];
    if (own) return own;
    if (own === "") throw refused("invalid escape sequence", whole);
    return /[\w\s]/.test(letter) ? whole : quoted(letter);
  }
}

/** The text as itself, under the flag u. */
function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&").replace(/-/g, "\\x2d");
}
