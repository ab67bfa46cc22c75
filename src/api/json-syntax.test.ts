import { expect, test } from "bun:test";
import { jsonSyntaxError } from "./json-syntax.ts";

/** Recorded from dockerd 28.5. */
test.each([
  ["x", "invalid character 'x' looking for beginning of value"],
  ["é", "invalid character 'é' looking for beginning of value"],
  ["{", "unexpected EOF"],
  ['{"a"', "unexpected EOF"],
  ['{"a":"x', "unexpected EOF"],
  ["nul", "unexpected EOF"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ["{'a':1}", "invalid character '\\'' looking for beginning of object key string"],
  ["[1,]", "invalid character ']' looking for beginning of value"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1]', "invalid character ']' after object key:value pair"],
  ['{"a":01}', "invalid character '1' after object key:value pair"],
  ['{"a":[1 2]}', "invalid character '2' after array element"],
  ['{"a":tru}', "invalid character '}' in literal true (expecting 'e')"],
  ['{"a":nulx}', "invalid character 'x' in literal null (expecting 'l')"],
  ['{"a":1.}', "invalid character '}' in numeric literal"],
  ['{"a":1e}', "invalid character '}' in numeric literal"],
  ["-x", "invalid character 'x' in numeric literal"],
  ['{"a":"\\x"}', "invalid escape sequence `\\x` in string"],
  ['{"a":"\\u12"}', 'invalid escape sequence `\\u12"}` in string'],
  ['{"a":"\t"}', "invalid character '\\t' in string"],
  ['{"a":1}x', "unexpected content after JSON"],
])("%p is refused as Go's decoder refuses it", (text, message) => {
  expect(jsonSyntaxError(text)).toBe(message);
});
