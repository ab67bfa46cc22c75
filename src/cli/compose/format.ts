import { Fault } from "#base";

/**
 * The formats of lists that are no templates.
 * @throws Fault in docker compose's words for another one
 */
export function checkFormat(format: string | undefined): "table" | "json" {
  if (format === undefined || format === "" || format === "table") return "table";
  if (format === "json") return "json";
  throw new Fault("invalid", `format value "${format}" could not be parsed: parsing failed`);
}
