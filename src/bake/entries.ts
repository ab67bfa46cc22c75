import { Fault, isFault, parseBool } from "#base";
import {
  convert,
  elementsOf,
  entriesOf,
  isKnown,
  jsonOf,
  listOf,
  mapOf,
  objectOf,
  parseCsv,
  stringType,
  type Type,
  textOf,
  type Value,
} from "#hcl";

/** Where cache comes from or goes to: its type and options. */
export interface CacheEntry {
  readonly type: string;
  readonly options: ReadonlyMap<string, string>;
}

/** Where the result of a build goes. */
export interface OutputEntry {
  readonly type: string;
  readonly options: ReadonlyMap<string, string>;
  readonly destination: string;
}

/** An attestation that is asked for, or turned off. */
export interface AttestEntry {
  readonly type: string;
  readonly options: ReadonlyMap<string, string>;
  readonly isDisabled: boolean;
}

/** A secret, from a file or a variable of the environment. */
export interface SecretEntry {
  readonly id: string;
  readonly path: string;
  readonly variable: string;
}

/** Keys, or an agent, of SSH. */
export interface SshEntry {
  readonly id: string;
  readonly paths: readonly string[];
}

function refuse(message: string): never {
  throw new Fault("invalid", message);
}

function fieldsOf(text: string): readonly string[] {
  return parseCsv(text)[0] ?? [];
}

function split(field: string): readonly [key: string, value: string | undefined] {
  const at = field.indexOf("=");
  return at < 0 ? [field, undefined] : [field.slice(0, at), field.slice(at + 1)];
}

/** "type=local,src=DIR", or names of images, each of them an entry. */
export function parseCache(text: string): CacheEntry[] {
  if (text === "") return [];
  const fields = fieldsOf(text);
  if (!text.includes("=")) {
    return fields.map((ref) => ({ type: "registry", options: new Map([["ref", ref]]) }));
  }
  let type = "";
  const options = new Map<string, string>();
  for (const field of fields) {
    const [key, value] = split(field);
    if (value === undefined) refuse(`invalid value ${field}`);
    if (key.toLowerCase() === "type") type = value;
    else options.set(key.toLowerCase(), value);
  }
  if (type === "") refuse(`type required form> ${JSON.stringify(text)}`);
  return [{ type, options }];
}

/** "type=image,push=true", a directory, or "-" for a tar archive on standard output. */
export function parseOutput(text: string): OutputEntry {
  const fields = fieldsOf(text);
  if (fields.length === 1 && fields[0] === text && !text.startsWith("type=")) {
    return { type: text === "-" ? "tar" : "local", options: new Map(), destination: text };
  }
  let [type, destination] = ["", ""];
  const options = new Map<string, string>();
  for (const field of fields) {
    const [name, value] = split(field);
    if (value === undefined) refuse(`invalid value ${field}`);
    const key = name.toLowerCase().trim();
    if (key === "type") type = value;
    else if (key === "dest") destination = value;
    else options.set(key, value);
  }
  if (type === "") refuse("type is required for output");
  return { type, options, destination };
}

/** "type=provenance,mode=max". */
export function parseAttest(text: string): AttestEntry {
  let type = "";
  let isDisabled = false;
  const options = new Map<string, string>();
  for (const field of fieldsOf(text)) {
    const [name, value] = split(field);
    if (value === undefined) refuse(`invalid value ${field}`);
    const key = name.toLowerCase().trim();
    if (key === "type") type = value;
    else if (key === "disabled") isDisabled = disabledOf(value, field);
    else options.set(name, value);
  }
  if (type === "") refuse("attestation type not specified");
  return { type, options, isDisabled };
}

function disabledOf(value: string, field: string): boolean {
  try {
    return parseBool(value);
  } catch (error) {
    if (!isFault(error)) throw error;
    return refuse(`invalid value ${field}: ${error.message}`);
  }
}

/** The short form of --sbom and --provenance as an attestation: "true", "false" or options. */
export function attestText(type: string, text: string): string {
  try {
    return `type=${type},disabled=${!parseBool(text)}`;
  } catch (error) {
    if (!isFault(error)) throw error;
    return `type=${type},${text}`;
  }
}

/** "id=ID,src=FILE" or "id=ID,env=NAME". */
export function parseSecret(text: string): SecretEntry {
  let [id, path, variable, type] = ["", "", "", ""];
  for (const field of fieldsOf(text)) {
    const [name, value] = split(field);
    const key = name.toLowerCase();
    if (value === undefined) refuse(`invalid field '${field}' must be a key=value pair`);
    else if (key === "type") {
      if (value !== "file" && value !== "env")
        refuse(`unsupported secret type ${JSON.stringify(value)}`);
      type = value;
    } else if (key === "id") id = value;
    else if (key === "source" || key === "src") path = value;
    else if (key === "env") variable = value;
    else refuse(`unexpected key '${key}' in '${field}'`);
  }
  if (type === "env" && variable === "") [variable, path] = [path, ""];
  return { id, path, variable };
}

/** "ID" or "ID=PATH,PATH". */
export function parseSsh(text: string): SshEntry {
  const [id, paths] = split(text);
  return { id, paths: paths === undefined ? [] : paths.split(",") };
}

const optionsType = mapOf(stringType);

function textsOf(value: Value): Map<string, string> {
  return new Map(
    [...entriesOf(convert(value, optionsType))].map(([key, item]) => [key, textOf(item)]),
  );
}

function optionalType(attributes: Readonly<Record<string, Type>>): Type {
  return objectOf(new Map(Object.entries(attributes)), new Set(Object.keys(attributes)));
}

const secretType = optionalType({ id: stringType, src: stringType, env: stringType });
const sshType = optionalType({ id: stringType, paths: listOf(stringType) });

/** Entries of a list, each a text in its short form or an object. */
function entries<T>(
  value: Value,
  wanted: string,
  ofText: (text: string) => readonly T[],
  ofObject: (item: Value) => T,
): T[] {
  if (value.type.kind !== "tuple" && value.type.kind !== "list") refuse(`${wanted} required`);
  return elementsOf(value).flatMap((item) => {
    if (!isKnown(item)) return [];
    if (item.type.kind !== "string") return [ofObject(item)];
    return item.content === null || item.content === "" ? [] : ofText(textOf(item));
  });
}

const listOfMaps = "list of map of string";

/** The entries of `cache-from` and `cache-to`. */
export function cacheEntries(value: Value): CacheEntry[] {
  return entries(value, listOfMaps, parseCache, (item) => {
    const options = textsOf(item);
    const type = options.get("type") ?? "";
    options.delete("type");
    if (type === "") refuse(`type required form> ${JSON.stringify(jsonOf(item))}`);
    return { type, options };
  });
}

/** The entries of `output`. */
export function outputEntries(value: Value): OutputEntry[] {
  return entries(
    value,
    listOfMaps,
    (text) => [parseOutput(text)],
    (item) => {
      const options = textsOf(item);
      const [type, destination] = [options.get("type") ?? "", options.get("dest") ?? ""];
      options.delete("type");
      options.delete("dest");
      if (type === "") refuse("type is required for output");
      return { type, options, destination };
    },
  );
}

/** The entries of `attest`. */
export function attestEntries(value: Value): AttestEntry[] {
  return entries(
    value,
    listOfMaps,
    (text) => [parseAttest(text)],
    (item) => {
      const options = textsOf(item);
      const [type, disabled] = [options.get("type") ?? "", options.get("disabled")];
      options.delete("type");
      options.delete("disabled");
      return { type, options, isDisabled: disabled !== undefined && parseBool(disabled) };
    },
  );
}

/** The entries of `secret`. */
export function secretEntries(value: Value): SecretEntry[] {
  return entries(
    value,
    "list of object",
    (text) => [parseSecret(text)],
    (item) => {
      const found = entriesOf(convert(item, secretType));
      const text = (name: string) => textOf(found.get(name) ?? item);
      return { id: text("id"), path: text("src"), variable: text("env") };
    },
  );
}

/** The entries of `ssh`. */
export function sshEntries(value: Value): SshEntry[] {
  return entries(
    value,
    "list of object",
    (text) => [parseSsh(text)],
    (item) => {
      const found = entriesOf(convert(item, sshType));
      const paths = found.get("paths");
      return {
        id: textOf(found.get("id") ?? item),
        paths: paths ? elementsOf(paths).map(textOf) : [],
      };
    },
  );
}

/** Each entry once, where buildx leaves it: a later one that is the same goes, and the last takes its place. */
export function distinctEntries<T>(given: readonly T[]): T[] {
  const kept = given.map((entry) => ({ entry, key: keyOf(entry) }));
  for (let at = kept.length - 2; at >= 0; at--) {
    const same = kept.findIndex(({ key }, other) => other > at && key === kept[at]?.key);
    if (same < 0) continue;
    const last = kept.pop();
    if (last && same < kept.length) kept[same] = last;
  }
  return kept.map(({ entry }) => entry);
}

function keyOf(entry: unknown): string {
  return JSON.stringify(entry, (_, value) =>
    value instanceof Map ? [...value].sort(([a], [b]) => (a < b ? -1 : 1)) : value,
  );
}

/** One attestation of each type: the last one, at the place of the first. */
export function distinctAttests(given: readonly AttestEntry[]): AttestEntry[] {
  return [...new Map(given.map((entry) => [entry.type, entry])).values()];
}
