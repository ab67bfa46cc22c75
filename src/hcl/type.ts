/** A type of HCL's values (cty's words): primitives, collections of one type, structures of several. */
export type Type =
  | { readonly kind: "string" | "number" | "bool" | "bytes" | "dynamic" }
  | { readonly kind: "list" | "set" | "map"; readonly element: Type }
  | { readonly kind: "tuple"; readonly elements: readonly Type[] }
  | {
      readonly kind: "object";
      readonly attributes: ReadonlyMap<string, Type>;
      /** Attributes that a conversion may leave out. */
      readonly optional?: ReadonlySet<string>;
    };

export const stringType: Type = { kind: "string" };
export const numberType: Type = { kind: "number" };
export const boolType: Type = { kind: "bool" };
/** Of what is not known yet, and of null where nothing says what it would be. */
export const dynamicType: Type = { kind: "dynamic" };

/** A list of elements of one type. */
export function listOf(element: Type): Type {
  return { kind: "list", element };
}

/** A map from text to values of one type. */
export function mapOf(element: Type): Type {
  return { kind: "map", element };
}

/** A sequence whose elements have types of their own. */
export function tupleOf(elements: readonly Type[]): Type {
  return { kind: "tuple", elements };
}

/** A structure of attributes with types of their own. */
export function objectOf(
  attributes: ReadonlyMap<string, Type>,
  optional?: ReadonlySet<string>,
): Type {
  return optional === undefined || optional.size === 0
    ? { kind: "object", attributes }
    : { kind: "object", attributes, optional };
}

/** Whether a type is a sequence: a list, a set or a tuple. */
export function isSequence(type: Type): boolean {
  return type.kind === "list" || type.kind === "set" || type.kind === "tuple";
}

/** Whether a type is a list, a set or a map. */
export function isCollection(type: Type): type is Extract<Type, { readonly element: Type }> {
  return type.kind === "list" || type.kind === "set" || type.kind === "map";
}

/** Whether a type is text, a number or a truth value. */
export function isPrimitive(type: Type): boolean {
  return type.kind === "string" || type.kind === "number" || type.kind === "bool";
}

/** Whether two types are the same one. */
export function sameType(a: Type, b: Type): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind) return false;
  if (isCollection(a) && isCollection(b)) return sameType(a.element, b.element);
  if (a.kind === "tuple" && b.kind === "tuple") {
    return (
      a.elements.length === b.elements.length &&
      a.elements.every((each, at) => sameType(each, b.elements[at] ?? dynamicType))
    );
  }
  if (a.kind === "object" && b.kind === "object") {
    if (a.attributes.size !== b.attributes.size) return false;
    return [...a.attributes].every(([name, type]) => {
      const other = b.attributes.get(name);
      return (
        other !== undefined &&
        sameType(type, other) &&
        (a.optional?.has(name) ?? false) === (b.optional?.has(name) ?? false)
      );
    });
  }
  return true;
}

/** A type in the words of messages: "list of string". */
export function typeName(type: Type): string {
  return isCollection(type) ? `${type.kind} of ${typeName(type.element)}` : type.kind;
}

/** A type in the words of what is required: `any type` and `any single type` for what is open. */
export function constraintName(type: Type): string {
  if (type.kind === "dynamic") return "any type";
  if (!isCollection(type)) return type.kind;
  const element =
    type.element.kind === "dynamic" ? "any single type" : constraintName(type.element);
  return `${type.kind} of ${element}`;
}
