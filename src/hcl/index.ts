/**
 * hcl: the configuration language HCL 2, in its native syntax and in JSON. Pure: texts go in,
 * values and faults in HCL's words come out.
 *
 * `parseFile` gives a body, which is read by a schema; `evaluate` gives the value of an expression
 * in a scope of variables and functions; `standardFunctions` are those of bake's files.
 *
 * Words: a body has attributes (name = expression) and blocks (type "label" { body }); a
 * diagnostic is one thing that is wrong, at a range of a file; a value has a type (cty's words:
 * lists, sets and maps of one type, tuples and objects of several) and may be not known after
 * a fault. Numbers are exact to 512 bits. Expressions use up a budget, so that hostile ones end.
 */

export type { Block, Body, BodySchema } from "./body.ts";
export { convert } from "./convert.ts";
export { parseCsv } from "./csv.ts";
export { type Diagnostic, HclFault, hclFault } from "./diagnostic.ts";
export { evaluate, evaluateInto } from "./evaluate.ts";
export { type Expression, keywordOf, startRange } from "./expression.ts";
export { valueOfJson } from "./functions/encodings.ts";
export { type Surroundings, standardFunctions } from "./functions/standard.ts";
export { mergedBody } from "./merged-body.ts";
export { formatNumber, parseNumber } from "./number.ts";
export type { Attribute } from "./parse-body.ts";
export { parseHclFile } from "./parse-file.ts";
export { referencesOf } from "./references.ts";
export {
  childScope,
  type HclFunction,
  type PlainFunction,
  rootScope,
  type Scope,
} from "./scope.ts";
export { decodeSource, type Range } from "./source.ts";
export * from "./type.ts";
export { parseType } from "./type-expression.ts";
export * from "./value.ts";
