import { Fault } from "#base";
import type { Body } from "./body.ts";
import { HclFault } from "./diagnostic.ts";
import { jsonBody } from "./json-body.ts";
import { nativeBody } from "./native-body.ts";
import { parseNative } from "./parse-body.ts";
import { parseJsonFile } from "./parse-json.ts";
import { decodeSource } from "./source.ts";

/** Larger files are refused. */
const maxBytes = 4 << 20;

/** A file in the native syntax or in JSON; an HclFault with all that is wrong with its syntax. */
export function parseHclFile(bytes: Uint8Array, file: string, syntax: "native" | "json"): Body {
  if (bytes.length > maxBytes) {
    throw new Fault("exhausted", `${file} has more than ${maxBytes} bytes`);
  }
  const text = decodeSource(bytes);
  if (syntax === "json") {
    const { expression, diagnostics } = parseJsonFile(text, file);
    const isObject = expression.kind === "json object" || expression.kind === "json array";
    if (isObject && diagnostics.length === 0) return jsonBody(expression);
    const root = {
      summary: "Root value must be object",
      detail:
        "The root value in a JSON-based configuration must be either a JSON object or a JSON array of objects.",
      subject: expression.range,
    };
    throw new HclFault(isObject ? diagnostics : [...diagnostics, root]);
  }
  const { body, diagnostics } = parseNative(text, file);
  if (diagnostics.length > 0) throw new HclFault(diagnostics);
  return nativeBody(body);
}
