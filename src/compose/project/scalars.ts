import { Float, isMapping, type Mapping, OutputMap, type Value } from "#yaml";
import { toInteger } from "../cast.ts";
import { byBytes, goText, isInteger } from "../value.ts";

import { parseDuration, printDuration } from "./duration.ts";
import { decodeFault, type Shape, texts } from "./shape.ts";
import { splitWords } from "./shell-words.ts";

const units: Readonly<Record<string, number>> = { "": 0, b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** A size with a unit, as "64m", in bytes; printed as text. */
export const bytes: Shape = {
  decode(value, where) {
    if (value === null) return undefined;
    if (isInteger(value)) return value;
    if (value instanceof Float) return Math.trunc(value.value);
    return parseSize(String(value), where);
  },
  isEmpty: (value) => value === undefined || value === 0,
  print: (value) => String(value ?? 0),
};

function parseSize(size: string, where: string): number {
  if (!/[\d. ]/.test(size)) throw decodeFault(where, `invalid size: '${size}'`);
  const [, digits = "", suffix = ""] = /^(-?[\d.]+) ?(.*)$/s.exec(size) ?? [];
  if (!/^-?(\d+\.?\d*|\.\d+)$/.test(digits)) throw decodeFault(where, `invalid size: '${size}'`);
  if (digits.startsWith("-") && digits !== "-1")
    throw decodeFault(where, `invalid size: '${size}'`);
  const unit = /^(?:([kmgtp])(?:i?b)?|b)?$/i.exec(suffix);
  if (unit === null) throw decodeFault(where, `invalid suffix: '${suffix}'`);
  return Math.trunc(Number(digits) * 1024 ** (units[(unit[1] ?? "").toLowerCase()] ?? 0));
}

/** A length of time, as "1m30s"; nothing and zero are the same. */
export const duration: Shape = {
  decode(value, where) {
    if (value === null) return undefined;
    try {
      return parseDuration(goText(value));
    } catch (error) {
      throw decodeFault(where, (error as Error).message);
    }
  },
  isEmpty: (value) => value === undefined || value === 0n,
  print: (value) => printDuration((value as bigint | undefined) ?? 0n),
};

/** A length of time that may be zero for a reason. */
export const maybeDuration: Shape = { ...duration, isEmpty: (value) => value === undefined };

/** A command: a text is split into words as a shell does; an empty one is not the same as none. */
export const command: Shape = {
  decode(value, where) {
    if (value === null) return undefined;
    if (typeof value !== "string") return texts.decode(value, where);
    try {
      return splitWords(value);
    } catch (error) {
      throw decodeFault(where, (error as Error).message);
    }
  },
  isEmpty: (value) => value === undefined,
  print: (value) => (value as string[] | undefined) ?? null,
};

/** The test of a health check: a text is a command for the shell. */
export const healthTest: Shape = {
  ...texts,
  decode: (value, where) =>
    typeof value === "string" ? ["CMD-SHELL", value] : texts.decode(value, where),
};

function pairsOf(value: Value, unset: Value): Mapping {
  const mapping: Mapping = new Map();
  if (isMapping(value)) {
    for (const [key, part] of value) {
      mapping.set(key, part === null ? unset : goText(part));
    }
    return mapping;
  }
  for (const item of Array.isArray(value) ? value : [value]) {
    const pair = goText(item);
    const at = pair.indexOf("=");
    if (at < 0) mapping.set(pair, unset);
    else mapping.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return mapping;
}

const sortedText = (value: Value | undefined, order: (a: string, b: string) => number) =>
  [...((value as Mapping | undefined) ?? new Map<string, Value>())].sort(([a], [b]) => order(a, b));

function pairs(unset: Value, base: Shape): Shape {
  return {
    ...base,
    decode: (value) => (value === null ? undefined : pairsOf(value, unset)),
  };
}

/** Texts by key, written as a mapping or as a list of KEY=value. */
export const pairsShape = (base: Shape): Shape => pairs("", base);

/** As `pairsShape`; a key without a value keeps having none. */
export const maybePairs = (base: Shape): Shape => pairs(null, base);

/** Addresses by host name, printed as a list of HOST=ADDRESS. */
export const hosts: Shape = {
  decode(value, where) {
    if (value === null) return undefined;
    const list: Mapping = new Map();
    const add = (host: string, address: string) => {
      const plain = /^\[(.*)\]$/.exec(address)?.[1] ?? address;
      list.set(host, [...((list.get(host) as string[] | undefined) ?? []), plain]);
    };
    if (isMapping(value)) {
      for (const [host, part] of value) {
        for (const one of Array.isArray(part) ? part : [part]) add(host, goText(one ?? ""));
      }
      return list;
    }
    for (const item of Array.isArray(value) ? value : [value]) {
      const line = goText(item);
      const separator = line.includes("=") ? "=" : ":";
      const at = line.indexOf(separator);
      if (at < 0) throw decodeFault(where, `invalid additional host, missing IP: ${line}`);
      add(line.slice(0, at), line.slice(at + 1));
    }
    return list;
  },
  isEmpty: (value) => !isMapping(value) || value.size === 0,
  print: (value) =>
    sortedText(value, byBytes)
      .flatMap(([host, addresses]) => (addresses as string[]).map((one) => `${host}=${one}`))
      .sort(byBytes),
};

/** A mode of a file; text is octal, and it is printed so. */
export const fileMode: Shape = {
  decode(value, where) {
    if (value === null) return undefined;
    if (isInteger(value)) return value;
    if (typeof value === "string" && /^[0-7]+$/.test(value)) return Number.parseInt(value, 8);
    throw decodeFault(where, `strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  },
  isEmpty: (value) => value === undefined,
  print: (value) => `0${Number(value ?? 0).toString(8)}`,
};

/** A number of devices; "all" is -1. */
export const deviceCount: Shape = {
  decode(value, where) {
    if (value === null) return undefined;
    if (isInteger(value)) return value;
    const word = goText(value);
    if (word.toLowerCase() === "all") return -1;
    try {
      return toInteger(word, "ParseInt");
    } catch {
      throw decodeFault(
        where,
        `invalid value "${word}", the only value allowed is 'all' or a number`,
      );
    }
  },
  isEmpty: (value) => value === undefined || value === 0,
  print: (value) => (value as number | undefined) ?? 0,
};

/** Keys of SSH for a build: ID or ID=PATH, printed as a list of ID: PATH. */
export const ssh: Shape = {
  decode: (value) => (value === null ? undefined : value),
  isEmpty: (value) => !isMapping(value) || value.size === 0,
  print: (value) =>
    sortedText(value, byBytes).map(([id, path]) => (path ? `${id}: ${goText(path)}` : id)),
};

/** A limit of a resource: one number, or a soft and a hard one. */
export const ulimit: Shape = {
  decode: (value) => value,
  isEmpty: (value) => value === undefined,
  print(value, form) {
    if (!isMapping(value)) return value as number;
    const part = (key: string) => (value.get(key) as number | undefined) ?? 0;
    const soft = ["soft", part("soft")] as const;
    const hard = ["hard", part("hard")] as const;
    const entries =
      form === "json" ? [soft, hard].filter(([, limit]) => limit !== 0) : [soft, hard];
    return new OutputMap(entries);
  },
};

/** A list whose entries are texts or numbers, printed as texts. */
export const textsOrNumbers: Shape = {
  ...texts,
  decode: (value) =>
    value === null ? undefined : (Array.isArray(value) ? value : [value]).map((one) => goText(one)),
};
