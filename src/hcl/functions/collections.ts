import { convert, unify } from "../convert.ts";
import { add, type BigNumber, compare, integer, toDouble } from "../number.ts";
import { ArgumentFault } from "../scope.ts";
import {
  boolType,
  dynamicType,
  isCollection,
  isSequence,
  listOf,
  mapOf,
  numberType,
  sameType,
  stringType,
  type Type,
  tupleOf,
  typeName,
} from "../type.ts";
import {
  boolValue,
  elementsOf,
  entriesOf,
  itemsOf,
  listValue,
  mapValue,
  nullOf,
  numberOf,
  numberValue,
  objectValue,
  sameValue,
  textOf,
  textValue,
  tupleValue,
  type Value,
} from "../value.ts";
import { argument, define, type Functions, failure, wholeNumber } from "./define.ts";

function isList({ type }: Value): boolean {
  return type.kind === "list" || type.kind === "tuple";
}

function isMap({ type }: Value): boolean {
  return type.kind === "map" || type.kind === "object";
}

/** The same kind of sequence with other elements. */
function sequenceLike(value: Value, items: readonly Value[]): Value {
  return isCollection(value.type) ? listValue(items, value.type.element) : tupleValue(items);
}

function chunks(args: readonly Value[]): Value {
  const list = argument(args, 0);
  const items = elementsOf(list);
  const size = wholeNumber(args, 1, { before: "invalid index: " });
  if (items.length === 0) return listValue([], list.type);
  if (size < 0) throw failure("the size argument must be positive");
  if (size === 0) return listValue([list], list.type);
  const parts: Value[] = [];
  for (let at = 0; at < items.length; at += size)
    parts.push(sequenceLike(list, items.slice(at, at + size)));
  return listValue(parts, list.type);
}

function coalesce(args: readonly Value[]): Value {
  const type = unify(args.map((each) => each.type));
  if (!type) throw failure("all arguments must have the same type");
  const found = args.find(({ content }) => content !== null);
  if (!found) throw failure("no non-null arguments");
  return convert(found, type);
}

function coalesceList(args: readonly Value[]): Value {
  if (args.length === 0) throw failure("at least one argument is required");
  if (!args.every(isList)) throw failure("coalescelist arguments must be lists or tuples");
  const found = args.find((each) => elementsOf(each).length > 0);
  if (!found) throw failure("no non-null arguments");
  return found;
}

function concat(args: readonly Value[]): Value {
  if (args.length === 0) throw failure("at least one argument is required");
  for (const [index, each] of args.entries()) {
    if (!isList(each))
      throw new ArgumentFault(
        index,
        `all arguments must be lists or tuples; got ${typeName(each.type)}`,
      );
  }
  const [first] = args;
  const items = args.flatMap(elementsOf);
  const isSame = args.every((each) => first && sameType(each.type, first.type));
  return isSame && first?.type.kind === "list"
    ? listValue(items, first.type.element)
    : tupleValue(items);
}

function contains(args: readonly Value[]): Value {
  const list = argument(args, 0);
  if (!isSequence(list.type)) throw failure("argument must be list, tuple, or set");
  return boolValue(elementsOf(list).some((each) => sameValue(each, argument(args, 1))));
}

function distinct(args: readonly Value[]): Value {
  const list = argument(args, 0);
  const kept: Value[] = [];
  for (const item of elementsOf(list))
    if (!kept.some((each) => sameValue(each, item))) kept.push(item);
  return sequenceLike(list, kept);
}

function element(args: readonly Value[]): Value {
  const list = argument(args, 0);
  if (numberOf(argument(args, 1)).mantissa < 0n) {
    throw failure("cannot use element function with a negative index");
  }
  if (!isList(list)) throw failure(`cannot read elements from ${typeName(list.type)}`);
  const index = wholeNumber(args, 1, { before: "invalid index: " });
  const items = elementsOf(list);
  const found = items[index % items.length];
  if (!found) throw failure("cannot use element function with an empty list");
  return found;
}

function flatten(args: readonly Value[]): Value {
  const list = argument(args, 0);
  if (!isSequence(list.type)) throw failure("can only flatten lists, sets and tuples");
  const items: Value[] = [];
  const pending = [...elementsOf(list)].reverse();
  for (let item = pending.pop(); item; item = pending.pop()) {
    if (isSequence(item.type) && item.content !== null)
      pending.push(...[...elementsOf(item)].reverse());
    else items.push(item);
  }
  return tupleValue(items);
}

const notIndexed = "collection must be a list, a map or a tuple";

function indexed(args: readonly Value[]): Value | undefined {
  const [collection, key] = [argument(args, 0), argument(args, 1)];
  if (collection.type.kind === "map") return entriesOf(collection).get(textOf(key));
  const number = numberOf(key);
  return key.type.kind === "number" ? elementsOf(collection)[toDouble(number)] : undefined;
}

function index(args: readonly Value[]): Value {
  const [{ type }, key] = [argument(args, 0), argument(args, 1)];
  if (type.kind !== "list" && type.kind !== "tuple" && type.kind !== "map")
    throw failure(notIndexed);
  const wanted = type.kind === "map" ? "string" : "number";
  if (key.type.kind !== wanted) throw failure(`key for ${type.kind} must be ${wanted}`);
  const found = indexed(args);
  if (found) return found;
  throw failure(
    type.kind === "tuple"
      ? `key must be between 0 and ${type.elements.length} inclusive`
      : "invalid index",
  );
}

function indexOf(args: readonly Value[]): Value {
  const list = argument(args, 0);
  if (!isList(list)) throw failure("argument must be a list or tuple");
  const items = elementsOf(list);
  if (items.length === 0) throw failure("cannot search an empty list");
  const found = items.findIndex((each) => sameValue(each, argument(args, 1)));
  if (found < 0) throw failure("item not found");
  return numberValue(found);
}

function keys(args: readonly Value[]): Value {
  const value = argument(args, 0);
  if (!isMap(value)) throw new ArgumentFault(0, "must have map or object type");
  const names = [...entriesOf(value).keys()].map(textValue);
  return value.type.kind === "map" ? listValue(names, stringType) : tupleValue(names);
}

function values(args: readonly Value[]): Value {
  const value = argument(args, 0);
  if (!isMap(value)) throw failure("values() requires a map as the first argument");
  const items = [...entriesOf(value).values()];
  return value.type.kind === "map" ? listValue(items, value.type.element) : tupleValue(items);
}

function lookup(args: readonly Value[]): Value {
  const [map, key, fallback] = [argument(args, 0), argument(args, 1), argument(args, 2)];
  if (!isMap(map)) throw new ArgumentFault(0, "lookup() requires a map as the first argument");
  const found = entriesOf(map).get(textOf(key));
  if (found || map.type.kind !== "map") return found ?? fallback;
  try {
    return convert(fallback, map.type.element);
  } catch {
    throw new ArgumentFault(2, "the default value must have the same type as the map elements");
  }
}

function merge(args: readonly Value[]): Value {
  const merged = new Map<string, Value>();
  for (const each of args) {
    if (!isMap(each)) {
      throw failure(
        `arguments must be maps or objects, got ${JSON.stringify(typeName(each.type))}`,
      );
    }
    for (const [name, item] of entriesOf(each)) merged.set(name, item);
  }
  const [first] = args;
  if (!first) return objectValue(merged);
  const isSame = args.every((each) => sameType(each.type, first.type));
  if (args.every(({ content }) => content === null))
    return nullOf(isSame ? first.type : dynamicType);
  return isSame && first.type.kind === "map"
    ? mapValue(merged, first.type.element)
    : objectValue(merged);
}

/** As many as cty makes. */
const maxRange = 1024;

function range(args: readonly Value[]): Value {
  const numbers = args.map(numberOf);
  const [one, two, three] = numbers;
  if (!one || numbers.length > 3) throw failure("must have one, two, or three arguments");
  const [start, end] = two ? [one, two] : [integer(0), one];
  const isDown = compare(end, start) < 0;
  const step: BigNumber = three ?? integer(isDown ? -1 : 1);
  if (step.mantissa === 0n) throw failure("step must not be zero");
  if (isDown && step.mantissa > 0n)
    throw failure("end must be greater than start when step is positive");
  if (!isDown && step.mantissa < 0n)
    throw failure("end must be less than start when step is negative");
  const made: Value[] = [];
  for (
    let each = start;
    isDown ? compare(each, end) > 0 : compare(each, end) < 0;
    each = add(each, step)
  ) {
    if (made.length >= maxRange) {
      throw failure(
        "more than 1024 values were generated; either decrease the difference between start and end or use a smaller step",
      );
    }
    made.push(numberValue(each));
  }
  return listValue(made, numberType);
}

function slice(args: readonly Value[]): Value {
  const list = argument(args, 0);
  if (list.type.kind === "set") {
    throw new ArgumentFault(
      0,
      "cannot slice a set, because its elements do not have indices; explicitly convert to a list if the ordering of the result is not important",
    );
  }
  if (!isList(list)) throw new ArgumentFault(0, "must be a list or tuple value");
  const items = elementsOf(list);
  const [start = 0, end = 0] = (["start", "end"] as const).map((name, at) => {
    const value = wholeNumber(args, at + 1, { about: at + 1, before: `invalid ${name} index: ` });
    if (value < 0) throw new ArgumentFault(at + 1, `${name} index must not be less than zero`);
    if (value > items.length) {
      throw new ArgumentFault(
        at + 1,
        `${name} index must not be greater than the length of the list`,
      );
    }
    return value;
  });
  if (start > end) throw new ArgumentFault(1, "start index must not be greater than end index");
  return sequenceLike(list, items.slice(start, end));
}

/** Products of more tuples are refused. */
const maxProduct = 10_000;

function setProduct(args: readonly Value[]): Value {
  if (args.length < 2) throw failure("at least two arguments are required");
  const elements = args.map((each, at): Type => {
    if (isCollection(each.type) && each.type.kind !== "map") return each.type.element;
    if (each.type.kind !== "tuple") throw new ArgumentFault(at, "a set or a list is required");
    if (each.type.elements.length === 0) return dynamicType;
    const type = unify(each.type.elements);
    if (!type) throw new ArgumentFault(at, "all elements must be of the same type");
    return type;
  });
  let product: Value[][] = [[]];
  for (const [at, each] of args.entries()) {
    const items = elementsOf(each).map((item) => convert(item, elements[at] ?? dynamicType));
    if (product.length * items.length > maxProduct) {
      throw failure(`the product has more than ${maxProduct} elements`);
    }
    product = product.flatMap((before) => items.map((item) => [...before, item]));
  }
  const tuples = product.map(tupleValue);
  const type = tupleOf(elements);
  return args.every(isList)
    ? listValue(tuples, type)
    : { type: { kind: "set", element: type }, content: tuples };
}

function zipmap(args: readonly Value[]): Value {
  const [names, items] = [elementsOf(argument(args, 0)), argument(args, 1)];
  if (!isList(items)) throw failure("values argument must be a list or tuple value");
  const found = elementsOf(items);
  if (names.length !== found.length) {
    throw failure(
      `number of keys (${names.length}) does not match number of values (${found.length})`,
    );
  }
  const missing = names.findIndex(({ content }) => content === null);
  if (missing >= 0) throw failure(`keys list has null value at index ${missing}`);
  const zipped = new Map(
    names.map((name, at): [string, Value] => [textOf(name), found[at] ?? name]),
  );
  return items.type.kind === "list" ? mapValue(zipped, items.type.element) : objectValue(zipped);
}

/** Lists, maps and what is in them. */
export const collectionFunctions: Functions = {
  chunklist: define("list:list size:number", listOf(dynamicType), chunks),
  coalesce: define("vals:any?...", dynamicType, coalesce),
  coalescelist: define("vals:any?...", dynamicType, coalesceList),
  compact: define("list:strings", listOf(stringType), (args) =>
    listValue(
      elementsOf(argument(args, 0)).filter((each) => textOf(each) !== ""),
      stringType,
    ),
  ),
  concat: define("seqs:any...", dynamicType, concat),
  contains: define("list:any value:any", boolType, contains),
  distinct: define("list:list", dynamicType, distinct),
  element: define("list:any index:number", dynamicType, element),
  flatten: define("list:any", dynamicType, flatten),
  hasindex: define("collection:any key:any", boolType, (args) => {
    if (!/^(?:list|tuple|map)$/.test(argument(args, 0).type.kind)) throw failure(notIndexed);
    return boolValue(indexed(args) !== undefined);
  }),
  index: define("collection:any key:any", dynamicType, index),
  indexof: define("list:any value:any", numberType, indexOf),
  keys: define("inputMap:any", dynamicType, keys),
  length: define("collection:any", numberType, (args) => {
    const value = argument(args, 0);
    if (!isSequence(value.type) && value.type.kind !== "map") throw failure(notIndexed);
    return numberValue(itemsOf(value).length);
  }),
  lookup: define("inputMap:any key:string default:any", dynamicType, lookup),
  merge: define("maps:any?...", mapOf(dynamicType), merge),
  range: define("params:number...", listOf(numberType), range),
  reverselist: define("list:any", dynamicType, (args) => {
    const list = argument(args, 0);
    if (!isSequence(list.type)) {
      throw new ArgumentFault(
        0,
        `can only reverse list or tuple values, not ${typeName(list.type)}`,
      );
    }
    return sequenceLike(list, [...elementsOf(list)].reverse());
  }),
  setproduct: define("sets:any...", dynamicType, setProduct),
  slice: define("list:any start_index:number end_index:number", dynamicType, slice),
  values: define("values:any", dynamicType, values),
  zipmap: define("keys:strings values:any", dynamicType, zipmap),
};
