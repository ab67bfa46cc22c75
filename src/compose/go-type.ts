import { Float, isMapping, type Value } from "#yaml";
import { isInteger } from "./value.ts";

/** The type of a value as Go's fmt prints it with %T, which messages of docker compose show. */
export function goTypeName(value: Value): string {
  if (value === null) return "<nil>";
  if (value instanceof Float) return "float64";
  if (isInteger(value)) return "int";
  if (isMapping(value)) return "map[string]interface {}";
  if (Array.isArray(value)) return "[]interface {}";
  return typeof value === "boolean" ? "bool" : "string";
}
