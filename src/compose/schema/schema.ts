/** The types of JSON, as schemas name them. */
export type TypeName = "string" | "integer" | "number" | "boolean" | "null" | "object" | "array";

/** What a value must be: a part of JSON Schema that is enough for Compose. */
export interface Schema {
  readonly types?: readonly TypeName[];
  readonly oneOf?: readonly Schema[];
  readonly values?: readonly string[];
  readonly pattern?: string;
  readonly least?: number;
  readonly most?: number;
  readonly items?: Schema;
  readonly unique?: boolean;
  readonly keys?: Readonly<Record<string, Schema>>;
  /** What a key that `keys` does not name must match, and its value then. */
  readonly others?: readonly [RegExp, Schema];
  /** Keys that begin with "x-" may hold anything. */
  readonly extensible?: boolean;
  /** No keys but those are allowed. */
  readonly closed?: boolean;
  readonly required?: readonly string[];
}

/** A value of one of the types. */
export const type = (...types: TypeName[]): Schema => ({ types });
export const string = type("string");
/** Written as a boolean, or as text in which a variable stood. */
export const flag = type("boolean", "string");
export const integer = type("integer", "string");
export const number = type("number", "string");

/** A value that one of the schemas accepts. */
export const oneOf = (...schemas: Schema[]): Schema => ({ oneOf: schemas });

export const choice = (...values: string[]): Schema => ({ types: ["string"], values });

export const list = (items: Schema): Schema => ({ types: ["array"], items });
export const set = (items: Schema): Schema => ({ types: ["array"], items, unique: true });
export const strings = set(string);

/** A mapping of these keys, of keys that begin with "x-", and of no others. */
export const mapping = (keys: Record<string, Schema>, required: string[] = []): Schema => ({
  types: ["object"],
  keys,
  required,
  closed: true,
  extensible: true,
});

/** As `mapping`, without extensions. */
export const strict = (keys: Record<string, Schema>, required: string[] = []): Schema => ({
  ...mapping(keys, required),
  extensible: false,
});

/** A mapping with keys of the user's. */
export const dictionary = (pattern: RegExp, values: Schema, closed = false): Schema => ({
  types: ["object"],
  others: [pattern, values],
  closed,
});
