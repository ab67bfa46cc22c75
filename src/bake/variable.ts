import { Fault, isFault, parseBool } from "#base";
import {
  boolValue,
  convert,
  formatNumber,
  jsonOf,
  listOf,
  listValue,
  mapValue,
  nullOf,
  numberOf,
  numberValue,
  parseCsv,
  parseNumber,
  setValue,
  type Type,
  textOf,
  textValue,
  tupleValue,
  typeName,
  type Value,
  valueOfJson,
} from "#hcl";

/** What a file says of a variable, as far as it matters for its value. */
export interface VariableSource {
  readonly name: string;
  /** Undefined where the file gives no type. */
  readonly type: Type | undefined;
  /** Undefined where the file gives no default. */
  readonly initial: Value | undefined;
}

function refuse(message: string): never {
  throw new Fault("invalid", message);
}

/** The value of a variable: what the environment has under its name, or its default. */
export function variableValue(
  { name, type, initial }: VariableSource,
  lookUp: (name: string) => string | undefined,
): Value {
  const text = lookUp(name);
  const json = lookUp(`${name}_JSON`);
  if (type === undefined && initial === undefined) return textValue(text ?? "");
  const value = initialValue(name, type, initial);
  if (type !== undefined && json !== undefined) return fromJson(name, type, json);
  if (text === undefined) return value;
  const wanted = type ?? value.type;
  if (type === undefined && wanted.kind === "dynamic") return textValue(text);
  if (isPrimitiveKind(wanted)) return fromText(name, wanted, text);
  if (type === undefined || wanted.kind === "dynamic" || wanted.kind === "object") {
    return refuse(`unsupported type ${typeName(wanted)} for variable ${name}`);
  }
  try {
    return fromCsv(name, wanted, text);
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    return refuse(`failed to convert variable ${name} from CSV: ${error.message}`);
  }
}

function isPrimitiveKind({ kind }: Type): boolean {
  return kind === "string" || kind === "number" || kind === "bool";
}

function initialValue(name: string, type: Type | undefined, initial: Value | undefined): Value {
  if (type === undefined) return initial ?? textValue("");
  if (initial === undefined) return nullOf(type);
  try {
    return convert(initial, type);
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    return refuse(
      `invalid type ${typeName(type)} for variable ${name} default value: ${error.message}`,
    );
  }
}

function fromJson(name: string, type: Type, text: string): Value {
  try {
    const value = valueOfJson(text);
    // A text in JSON is no number, and a number no text.
    if (isPrimitiveKind(type) && value.content !== null && value.type.kind !== type.kind) {
      return refuse(`${type.kind} is required`);
    }
    return convert(value, type);
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    const why = error.message.startsWith("invalid JSON")
      ? `${type.kind} is required`
      : error.message;
    return refuse(`failed to convert variable ${name} from JSON: ${why}`);
  }
}

function fromText(name: string, type: Type, text: string): Value {
  if (type.kind === "string") return textValue(text);
  if (type.kind === "number") {
    const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)
      ? parseNumber(text.replace(/^([+-]?)\./, "$10."), 53)
      : undefined;
    if (number) return numberValue(number);
    const why = /^[+-]?(?:inf(?:inity)?|nan)$/i.test(text)
      ? "invalid number value"
      : `strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`;
    return refuse(`failed to parse ${name} as number: ${why}`);
  }
  try {
    return boolValue(parseBool(text));
  } catch (error) {
    if (!isFault(error)) throw error;
    return refuse(`failed to parse ${name} as bool: ${error.message}`);
  }
}

function fromCsv(name: string, type: Type, text: string): Value {
  const fields = csvFields(text);
  const read = (element: Type, field: string, of: string) => {
    if (!isPrimitiveKind(element)) {
      return refuse(`unsupported type ${typeName(type)} for CSV specification`);
    }
    try {
      return fromText(name, element, field);
    } catch (error) {
      return refuse(
        `failed to parse element ${of} type ${typeName(type)}: ${(error as Error).message}`,
      );
    }
  };
  switch (type.kind) {
    case "list":
      return listValue(
        fields.map((field) => read(type.element, field, "of")),
        type.element,
      );
    case "set":
      return setValue(
        fields.map((field) => read(type.element, field, "of")),
        type.element,
      );
    case "tuple":
      if (fields.length !== type.elements.length) {
        return refuse(
          `tuple expects ${type.elements.length} elements but only ${fields.length} provided`,
        );
      }
      return tupleValue(
        fields.map((field, at) => read(type.elements[at] ?? listOf(type), field, "of")),
      );
    case "map": {
      const items = fields.map((field): [string, Value] => {
        const parts = csvFields(field, ":");
        const [key = "", item = ""] = parts;
        if (parts.length !== 2) {
          return refuse(`expected one k/v pair but got ${parts.length} pieces from ${field}`);
        }
        return [key, read(type.element, item, "from")];
      });
      return mapValue(new Map(items), type.element);
    }
    default:
      return refuse(`unsupported type ${typeName(type)} for CSV specification`);
  }
}

function csvFields(text: string, separator = ","): readonly string[] {
  if (separator !== ",") return text.split(separator);
  try {
    return parseCsv(text)[0] ?? [];
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    return refuse(`failed to parse ${text} as CSV: ${error.message}`);
  }
}

/** A value as `--list=variables` shows it; undefined for null. */
export function shownValue(value: Value): string | undefined {
  if (value.content === null) return undefined;
  if (value.type.kind === "string") return textOf(value);
  if (value.type.kind === "bool") return String(value.content);
  return value.type.kind === "number" ? formatNumber(numberOf(value)) : jsonOf(value);
}
