import { parseBytes } from "#base";

/** The kind of words with which a value is completed, beyond a fixed list. */
export type Completion =
  | "container"
  | "context"
  | "running"
  | "image"
  | "network"
  | "volume"
  | "file"
  /** "CONTAINER:", or a file where the word begins like a path. */
  | "copy"
  | readonly string[];

/** One option of a command: its form, its meaning, and the value that it gives. */
export interface Flag<T> {
  readonly help: string;
  /** One letter, for the one-dash form. */
  readonly short?: string;
  /** Further names, not shown. */
  readonly aliases?: readonly string[];
  /** The word for the value in the help ("string"); "" for a switch. */
  readonly placeholder: string;
  readonly initial: T;
  /** Shown as the default in the help. */
  readonly shownDefault?: string;
  readonly complete?: Completion;
  readonly hidden?: boolean;
  /** The value after one more occurrence; throws an Error that says why `text` is not one. */
  parse(text: string, before: T): T;
}

export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** The values of flags, by name. */
export type Values<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

type Extra = Partial<
  Pick<Flag<unknown>, "short" | "aliases" | "complete" | "hidden" | "shownDefault" | "placeholder">
>;

/** A flag without a value; "--flag=false" turns it off, as Docker's CLI has it. */
export function bool(
  help: string,
  extra: Extra & { readonly initial?: boolean } = {},
): Flag<boolean> {
  const { initial = false } = extra;
  return {
    help,
    placeholder: "",
    ...(initial ? { shownDefault: "true" } : {}),
    ...extra,
    initial,
    parse(word) {
      if (/^(1|t|T|TRUE|true|True)$/.test(word)) return true;
      if (/^(0|f|F|FALSE|false|False)$/.test(word)) return false;
      throw new Error(`"${word}" is neither true nor false`);
    },
  };
}

/** A text; undefined when it is not given, so that "" can be told from nothing. */
export function text(help: string, extra: Extra = {}): Flag<string | undefined> {
  return { help, placeholder: "string", ...extra, initial: undefined, parse: (word) => word };
}

/** A flag of docker's that has no place here; whoever gives it is told why. */
export function refused(why: string): Flag<undefined> {
  return {
    ...{ help: why, placeholder: "", hidden: true, initial: undefined },
    parse: () => {
      throw new Error(`thimble does not have it: ${why}`);
    },
  };
}

/** One of these words; undefined when it is not given. */
export function choice<T extends string>(
  help: string,
  words: readonly T[],
  extra: Extra = {},
): Flag<T | undefined> {
  return {
    ...text(help, { complete: words, ...extra }),
    initial: undefined,
    parse(word) {
      const found = words.find((each) => each === word);
      if (found === undefined) throw new Error(`use ${words.join(", ")}`);
      return found;
    },
  };
}

/** Any number of texts, in order. */
export function list(help: string, extra: Extra = {}): Flag<readonly string[]> {
  return {
    help,
    placeholder: "list",
    ...extra,
    initial: [],
    parse: (word, before) => [...before, word],
  };
}

/** Texts, of which one occurrence may name several with commas between. */
export function commaList(help: string, extra: Extra = {}): Flag<readonly string[]> {
  return {
    ...list(help, extra),
    parse: (words, before) => [...before, ...words.split(",").filter((word) => word !== "")],
  };
}

/** "KEY=VALUE" any number of times; the last of a key wins. */
export function map(help: string, extra: Extra = {}): Flag<Readonly<Record<string, string>>> {
  return {
    help,
    placeholder: "map",
    ...extra,
    initial: {},
    parse(word, before) {
      const equals = word.indexOf("=");
      if (equals <= 0) throw new Error(`"${word}" is not of the form KEY=VALUE`);
      return { ...before, [word.slice(0, equals)]: word.slice(equals + 1) };
    },
  };
}

/** "KEY=VALUE", of which one occurrence may give several with commas between. */
export function commaMap(help: string, extra: Extra = {}): Flag<Readonly<Record<string, string>>> {
  const one = map(help, extra);
  return {
    ...one,
    placeholder: "stringToString",
    parse: (words, before) => words.split(",").reduce((all, word) => one.parse(word, all), before),
  };
}

/** A whole number. */
export function int(
  help: string,
  extra: Extra & { readonly min?: number; readonly max?: number } = {},
): Flag<number | undefined> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER, ...rest } = extra;
  return {
    help,
    placeholder: "int",
    ...rest,
    initial: undefined,
    parse(word) {
      const value = Number(word);
      if (!/^[-+]?\d+$/.test(word) || !Number.isSafeInteger(value))
        throw new Error(`"${word}" is not a whole number`);
      if (value < min || value > max) throw new Error(`${word} is not between ${min} and ${max}`);
      return value;
    },
  };
}

/** A size ("64m", "1.5GiB") in bytes; -1 where `unlimited` allows it. */
export function size(
  help: string,
  extra: Extra & { readonly unlimited?: boolean } = {},
): Flag<number | undefined> {
  const { unlimited, ...rest } = extra;
  return {
    help,
    placeholder: "bytes",
    ...rest,
    initial: undefined,
    parse(word) {
      if (unlimited && word === "-1") return -1;
      const bytes = parseBytes(word);
      if (bytes === undefined) throw new Error(`invalid size: '${word}'`);
      return bytes;
    },
  };
}

/** A number of CPUs ("1.5") in billionths. */
export function cpus(help: string, extra: Extra = {}): Flag<number | undefined> {
  return {
    help,
    placeholder: "decimal",
    ...extra,
    initial: undefined,
    parse(word) {
      const number = /^\d*\.?\d+$/.test(word) ? Number(word) * 1e9 : Number.NaN;
      if (!Number.isFinite(number)) throw new Error(`"${word}" is not a number of CPUs`);
      if (Math.abs(number - Math.round(number)) > 1e-6)
        throw new Error("value is too precise: at most nine digits after the point");
      return Math.round(number);
    },
  };
}

const units: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** A duration as Go writes it ("1m30s", "500ms") in nanoseconds. */
export function duration(help: string, extra: Extra = {}): Flag<number | undefined> {
  return {
    help,
    placeholder: "duration",
    ...extra,
    initial: undefined,
    parse(word) {
      const value = parseDuration(word);
      if (value === undefined)
        throw new Error(`"${word}" is not a duration (as 500ms, 10s, 1m30s)`);
      return value;
    },
  };
}

/** Nanoseconds of a Go duration; undefined for any other text. */
export function parseDuration(word: string): number | undefined {
  if (word === "0") return 0;
  const match = /^([-+]?)((?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+)$/.exec(word);
  if (!match) return undefined;
  let total = 0;
  for (const [, number, unit] of (match[2] ?? "").matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(number) * (units[unit ?? ""] ?? 0);
  }
  return Math.round(match[1] === "-" ? -total : total);
}

/** "KEY=VALUE" filters; a key may repeat. */
export function filter(
  help = "Filter output based on conditions provided",
): Flag<Readonly<Record<string, readonly string[]>>> {
  return {
    help,
    short: "f",
    placeholder: "filter",
    initial: {},
    parse(word, before) {
      const equals = word.indexOf("=");
      if (equals <= 0) throw new Error("bad format of filter (expected name=value)");
      const key = word.slice(0, equals).trim().toLowerCase();
      return { ...before, [key]: [...(before[key] ?? []), word.slice(equals + 1).trim()] };
    },
  };
}
