import { Fault, isFault } from "#base";
import {
  boolType,
  boolValue,
  convert,
  type Diagnostic,
  type Expression,
  elementsOf,
  entriesOf,
  evaluateInto,
  isKnown,
  listOf,
  listValue,
  mapOf,
  mapValue,
  nullOf,
  objectValue,
  type Scope,
  startRange,
  stringType,
  type Type,
  textOf,
  textValue,
  type Value,
} from "#hcl";
import {
  attestEntries,
  cacheEntries,
  outputEntries,
  secretEntries,
  sshEntries,
} from "./entries.ts";
import type { Target } from "./target.ts";

type Kind =
  | "text"
  | "flag"
  | "texts"
  | "map"
  | "plain map"
  | "cache"
  | "outputs"
  | "attest"
  | "secrets"
  | "ssh";

/** The arguments of a target's block, with the property that each sets. */
export const targetFields: Readonly<Record<string, readonly [keyof Target, Kind]>> = {
  description: ["description", "text"],
  inherits: ["inherits", "texts"],
  annotations: ["annotations", "texts"],
  attest: ["attest", "attest"],
  context: ["context", "text"],
  contexts: ["contexts", "plain map"],
  dockerfile: ["dockerfile", "text"],
  "dockerfile-inline": ["dockerfileInline", "text"],
  args: ["args", "map"],
  labels: ["labels", "map"],
  tags: ["tags", "texts"],
  "cache-from": ["cacheFrom", "cache"],
  "cache-to": ["cacheTo", "cache"],
  target: ["target", "text"],
  secret: ["secrets", "secrets"],
  ssh: ["ssh", "ssh"],
  platforms: ["platforms", "texts"],
  output: ["outputs", "outputs"],
  pull: ["pull", "flag"],
  "no-cache": ["noCache", "flag"],
  network: ["network", "text"],
  "no-cache-filter": ["noCacheFilter", "texts"],
  "shm-size": ["shmSize", "text"],
  ulimits: ["ulimits", "texts"],
  call: ["call", "text"],
  entitlements: ["entitlements", "texts"],
  "extra-hosts": ["extraHosts", "map"],
};

/** The arguments of a group's block. */
export const groupFields: Readonly<Record<string, Kind>> = {
  description: "text",
  targets: "texts",
};

const plainTypes: Partial<Record<Kind, Type>> = {
  text: stringType,
  flag: boolType,
  texts: listOf(stringType),
  map: mapOf(stringType),
  "plain map": mapOf(stringType),
};

const readers: Partial<Record<Kind, (value: Value) => unknown>> = {
  cache: cacheEntries,
  outputs: outputEntries,
  attest: attestEntries,
  secrets: secretEntries,
  ssh: sshEntries,
};

/** What an argument sets: undefined for null. What is wrong is added to `diagnostics`. */
export function fieldValue(
  kind: Kind,
  expression: Expression,
  scope: Scope,
  diagnostics: Diagnostic[],
): unknown {
  const value = evaluateInto(expression, scope, diagnostics);
  try {
    return contentOf(kind, value);
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    diagnostics.push({
      summary: "Unsuitable value type",
      detail: `Unsuitable value: ${error.message}`,
      subject: startRange(expression),
    });
    return undefined;
  }
}

function contentOf(kind: Kind, value: Value): unknown {
  const type = plainTypes[kind];
  if (!type) {
    if (value.content === null) return undefined;
    if (!isKnown(value)) throw new Fault("invalid", "value must be known");
    return readers[kind]?.(value);
  }
  const converted = convert(value, type);
  if (converted.content === null) return undefined;
  if (!isKnown(converted)) throw new Fault("invalid", "value must be known");
  if (kind === "text") return textOf(converted);
  if (kind === "flag") return converted.content === true;
  if (kind === "texts") return elementsOf(converted).map(presentText);
  const items = [...entriesOf(converted)].map(([key, item]) => [
    key,
    kind === "map" && item.content === null ? null : presentText(item),
  ]);
  return new Map(items as [string, string | null][]);
}

function presentText(value: Value): string {
  if (value.content === null) throw new Fault("invalid", "null value is not allowed");
  if (!isKnown(value)) throw new Fault("invalid", "value must be known");
  return textOf(value);
}

/** A target as `target.NAME` gives it to expressions. */
export function targetValue(target: Target): Value {
  const attributes = new Map<string, Value>([["name", textValue(target.name)]]);
  for (const [name, [property, kind]] of Object.entries(targetFields)) {
    attributes.set(name, shownField(kind, target[property], name));
  }
  return objectValue(attributes);
}

function shownField(kind: Kind, content: unknown, name: string): Value {
  const texts = listOf(stringType);
  const options = mapOf(stringType);
  if (kind === "text") {
    if (typeof content === "string") return textValue(content);
    return name === "description" ? textValue("") : nullOf(stringType);
  }
  if (kind === "flag") return typeof content === "boolean" ? boolValue(content) : nullOf(boolType);
  if (kind === "texts")
    return content === undefined ? nullOf(texts) : textList(content as string[]);
  if (kind === "map" || kind === "plain map") {
    if (content === undefined) return nullOf(options);
    const items = [...(content as Map<string, string | null>)].map(
      ([key, text]): [string, Value] => [key, text === null ? nullOf(stringType) : textValue(text)],
    );
    return mapValue(new Map(items), stringType);
  }
  return listValue(((content as object[] | undefined) ?? []).map(shownEntry), options);
}

function textList(texts: readonly string[]): Value {
  return listValue(texts.map(textValue), stringType);
}

/** An entry with its options beside its type. */
function shownEntry(entry: object): Value {
  const shown = new Map<string, Value>();
  const add = (key: string, text: unknown) => shown.set(key, textValue(String(text)));
  for (const [key, content] of Object.entries(entry)) {
    if (content instanceof Map) for (const [name, text] of content) add(name, text);
    else if (key === "destination") add("dest", content);
    else if (key === "path") add("src", content);
    else if (key === "variable") add("env", content);
    else if (key === "isDisabled") {
      if (content === true) add("disabled", true);
    } else if (Array.isArray(content)) shown.set(key, textList(content));
    else add(key, content);
  }
  return "paths" in entry || "path" in entry ? objectValue(shown) : mapValue(shown, stringType);
}

/** A group as `group.NAME` gives it to expressions. */
export function groupValue({
  name,
  description = "",
  targets,
}: {
  readonly name: string;
  readonly description?: string;
  readonly targets: readonly string[];
}): Value {
  return objectValue(
    new Map([
      ["name", textValue(name)],
      ["description", textValue(description)],
      ["targets", textList(targets)],
    ]),
  );
}
