import { defined } from "#base";
import { parseControl } from "./control.ts";

/** One repository of apt's sources, with the options this project looks at. */
export interface AptSource {
  /** Without a trailing slash. */
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** A keyring's path, or a key's armoured text; absent: apt's own trusted keys. */
  readonly signedBy?: string;
  readonly checkValidUntil: boolean;
  readonly architectures: readonly string[];
  /** File it was read from, for messages. */
  readonly origin: string;
}

/**
 * The `deb` entries of a `.sources` file (deb822 form of sources.list(5)); disabled
 * entries and `deb-src` are left out, one entry per URI.
 */
export function parseDeb822Sources(text: string, origin: string): AptSource[] {
  return parseControl(text, origin).flatMap((fields) => {
    const words = (name: string) => (fields.get(name) ?? "").split(/\s+/).filter(Boolean);
    if (isNo(fields.get("enabled")) || !words("types").includes("deb")) return [];
    const signedBy = fields.get("signed-by");
    return words("uris").map((uri) => ({
      uri: uri.replace(/\/+$/, ""),
      suites: words("suites"),
      components: words("components"),
      ...(signedBy === undefined ? {} : { signedBy: unfold(signedBy) }),
      checkValidUntil: !isNo(fields.get("check-valid-until")),
      architectures: words("architectures"),
      origin,
    }));
  });
}

/**
 * The `deb` lines of a `.list` file (one-line form of sources.list(5)); malformed lines are
 * skipped, since apt complains about them.
 */
export function parseOneLineSources(text: string, origin: string): AptSource[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?([^#]*)/.exec(line);
    const [uri, suite, ...components] = (match?.[2] ?? "").split(/\s+/).filter(Boolean);
    if (uri === undefined || suite === undefined) return [];
    const options = parseOptions(match?.[1] ?? "");
    const signedBy = options.get("signed-by");
    return [
      {
        uri: uri.replace(/\/+$/, ""),
        suites: [suite],
        components,
        ...defined({ signedBy }),
        checkValidUntil: !isNo(options.get("check-valid-until")),
        architectures: (options.get("arch") ?? "").split(",").filter(Boolean),
        origin,
      },
    ];
  });
}

function parseOptions(text: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const word of text.split(/\s+/)) {
    const equals = word.indexOf("=");
    if (equals > 0)
      options.set(word.slice(0, equals).replace(/[+-]$/, "").toLowerCase(), word.slice(equals + 1));
  }
  return options;
}

/** An inline key: a line of its own for each, " ." for the empty one. */
function unfold(value: string): string {
  return value.includes("-----BEGIN")
    ? value
        .split("\n")
        .map((line) => (line === "." ? "" : line))
        .join("\n")
        .trim()
    : value.replace(/\s+/g, " ");
}

const isNo = (value: string | undefined) => /^(no|false|without|off|disable|0)$/i.test(value ?? "");

/**
 * Settings of apt.conf(5) as lower-case paths ("acquire::check-valid-until"); of
 * lists only the last item stays. Reads what apt itself would of these texts, in order.
 */
export function parseAptConf(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  const tokens = text
    .replace(/\/\*[\s\S]*?\*\//g, " ")
    .match(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|#[^\n]*|[{};]|[^\s{};"]+/g);
  const scope: string[] = [];
  let words: string[] = [];
  for (const token of tokens ?? []) {
    if (/^(\/\/|#)/.test(token)) continue;
    if (token === "{") {
      scope.push(words[0] ?? "");
      words = [];
    } else if (token === "}") {
      scope.pop();
      words = [];
    } else if (token === ";") {
      const [name, value] = words;
      if (name !== undefined && value !== undefined)
        settings.set([...scope, name].join("::").toLowerCase(), value);
      words = [];
    } else {
      words.push(token.replace(/^"([\s\S]*)"$/, "$1"));
    }
  }
  return settings;
}
