import { parseBool, parseBytes } from "#base";
import { DockerfileFault, quote } from "./fault.ts";
import { proposing } from "./flags.ts";

/** A mount of RUN; what is absent was not given. */
export interface Mount {
  readonly type: "bind" | "cache" | "tmpfs" | "secret" | "ssh";
  /** A stage, an image or a named context; absent: the context. */
  readonly from?: string;
  readonly source?: string;
  readonly target?: string;
  readonly isReadOnly: boolean;
  /** A secret or agent that is missing fails the build. */
  readonly isRequired: boolean;
  /** Of a tmpfs, in bytes. */
  readonly size?: number;
  readonly id?: string;
  readonly sharing?: "shared" | "private" | "locked";
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** The variable that a secret is given in; "" takes the secret's id. */
  readonly variable?: string;
}

const types = ["bind", "cache", "tmpfs", "secret", "ssh"] as const;
const sharings = ["shared", "private", "locked"] as const;
const keys =
  "type from source target readonly id sharing required size mode uid gid src dst destination ro rw readwrite env".split(
    " ",
  );

type Draft = { -readonly [K in keyof Mount]?: Mount[K] };

/**
 * Reads the value of --mount, "type=cache,target=/x". `expand` is applied to each value. `invalid`
 * for keys and values that such a mount does not have.
 */
export function parseMount(text: string, expand: (word: string) => string): Mount {
  const draft: Draft = { type: "bind" };
  for (const field of parseCsv(text)) {
    const equals = field.indexOf("=");
    const key = field.slice(0, equals < 0 ? undefined : equals).toLowerCase();
    if (equals < 0) setWord(draft, key, field);
    else setValue(draft, key, { field, value: expand(field.slice(equals + 1)) });
  }
  return finish(draft);
}

/** Refuses a --mount whose "from" needs a variable: stages are known before variables are. */
export function checkMountSource(text: string): void {
  for (const field of parseCsv(text)) {
    if (/^from=.*\$./i.test(field)) {
      throw new DockerfileFault(
        "'from' doesn't support variable expansion, define alias stage instead",
      );
    }
  }
}

/** The stage or image of a --mount, without regard to its other keys. */
export function mountSource(text: string): string | undefined {
  const from = parseCsv(text).find((field) => /^from=/i.test(field));
  return from?.slice("from=".length) || undefined;
}

function setWord(draft: Draft, key: string, field: string): void {
  if (key === "readonly" || key === "ro") draft.isReadOnly = true;
  else if (key === "readwrite" || key === "rw") draft.isReadOnly = false;
  else if (key === "required") {
    requireType(draft, key, ["secret", "ssh"]);
    draft.isRequired = true;
  } else if (key === "env") draft.variable = "";
  else throw new DockerfileFault(`invalid field '${field}' must be a key=value pair`);
}

function setValue(
  draft: Draft,
  key: string,
  { field, value }: { readonly field: string; readonly value: string },
): void {
  switch (key) {
    case "type":
      draft.type = oneOf(types, value, "mount type");
      break;
    case "from":
      draft.from = value;
      break;
    case "source":
    case "src":
      draft.source = value;
      break;
    case "target":
    case "dst":
    case "destination":
      draft.target = value;
      break;
    case "readonly":
    case "ro":
      draft.isReadOnly = parseSwitch(key, value);
      break;
    case "readwrite":
    case "rw":
      draft.isReadOnly = !parseSwitch(key, value);
      break;
    case "required":
      requireType(draft, key, ["secret", "ssh"]);
      draft.isRequired = parseSwitch(key, value);
      break;
    case "size":
      requireType(draft, key, ["tmpfs"]);
      draft.size = parseSize(key, value);
      break;
    case "id":
      draft.id = value;
      break;
    case "sharing":
      draft.sharing = oneOf(sharings, value, "sharing value");
      break;
    case "mode":
      draft.mode = parseNumber(key, value, 8);
      break;
    case "uid":
      draft.uid = parseNumber(key, value, 10);
      break;
    case "gid":
      draft.gid = parseNumber(key, value, 10);
      break;
    case "env":
      draft.variable = value;
      break;
    default:
      throw new DockerfileFault(proposing(`unexpected key '${key}' in '${field}'`, key, keys));
  }
}

function finish(draft: Draft): Mount {
  const { type = "bind", from, source, target, id, sharing, variable } = draft;
  const refuse = (message: string): never => {
    throw new DockerfileFault(message);
  };
  if (type === "bind" || type === "tmpfs") {
    for (const key of ["mode", "uid", "gid"] as const) {
      if (draft[key] !== undefined) refuse(`${key} not allowed for "${type}" type mounts`);
    }
  }
  if (type === "secret") {
    if (from) refuse("secret mount should not have a from");
    if (sharing) refuse("secret mount should not define sharing");
    if (!source && !target && !id && variable === undefined) {
      refuse("invalid secret mount. one of source, target required");
    }
    if (source && id) refuse("both source and id can't be set");
  }
  if (sharing && type !== "cache") refuse(`invalid cache sharing set for ${type} mount`);
  const isWritable = type === "cache" || type === "tmpfs";
  return {
    ...draft,
    type,
    isReadOnly: draft.isReadOnly ?? !isWritable,
    isRequired: draft.isRequired ?? false,
  };
}

function requireType(draft: Draft, key: string, allowed: readonly Mount["type"][]): void {
  const { type = "bind" } = draft;
  if (allowed.includes(type)) return;
  throw new DockerfileFault(`unexpected key '${key}' for mount type '${type}'`);
}

function oneOf<T extends string>(words: readonly T[], value: string, what: string): T {
  const found = words.find((word) => word === value.toLowerCase());
  if (found !== undefined) return found;
  throw new DockerfileFault(proposing(`unsupported ${what} ${quote(value)}`, value, words));
}

function parseSwitch(key: string, value: string): boolean {
  try {
    return parseBool(value);
  } catch {
    throw new DockerfileFault(`invalid value for ${key}: ${value}`);
  }
}

function parseSize(key: string, value: string): number {
  const bytes = parseBytes(value);
  if (bytes === undefined) throw new DockerfileFault(`invalid value for ${key}: ${value}`);
  return bytes;
}

function parseNumber(key: string, value: string, base: 8 | 10): number {
  const number = (base === 8 ? /^[0-7]+$/ : /^\d+$/).test(value)
    ? Number.parseInt(value, base)
    : -1;
  if (number >= 0 && number < 2 ** 32) return number;
  throw new DockerfileFault(`invalid value ${value} for ${key}`);
}

/** The fields of a line of CSV, with the faults of Go's encoding/csv. */
function parseCsv(line: string): string[] {
  if (line === "") throw new DockerfileFault("failed to parse csv mounts: EOF");
  const fields: string[] = [];
  let at = 0;
  do {
    const isQuoted = line[at] === '"';
    const { field, end } = isQuoted ? quotedField(line, at) : plainField(line, at);
    fields.push(field);
    at = end + 1;
  } while (at <= line.length);
  return fields;
}

function plainField(line: string, start: number): { field: string; end: number } {
  const comma = line.indexOf(",", start);
  const end = comma < 0 ? line.length : comma;
  const field = line.slice(start, end);
  const mark = field.indexOf('"');
  if (mark >= 0) throw csvFault(start + mark, 'bare " in non-quoted-field');
  return { field, end };
}

function quotedField(line: string, start: number): { field: string; end: number } {
  let field = "";
  for (let at = start + 1; ; ) {
    const mark = line.indexOf('"', at);
    if (mark < 0) throw csvFault(line.length, 'extraneous or missing " in quoted-field');
    field += line.slice(at, mark);
    const next = line[mark + 1];
    if (next === undefined || next === ",") return { field, end: mark + 1 };
    if (next !== '"') throw csvFault(mark, 'extraneous or missing " in quoted-field');
    field += '"';
    at = mark + 2;
  }
}

function csvFault(at: number, why: string): DockerfileFault {
  return new DockerfileFault(
    `failed to parse csv mounts: parse error on line 1, column ${at + 1}: ${why}`,
  );
}
