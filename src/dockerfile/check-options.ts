import { parseBool } from "#base";
import { DockerfileFault, quote } from "./fault.ts";
import { isExperimental, type RuleName } from "./rules.ts";

/** Which checks run, and whether what they find is an error: "skip=A,B;error=true;experimental=all". */
export interface CheckOptions {
  readonly skip: ReadonlySet<string> | "all";
  readonly experimental: ReadonlySet<string> | "all";
  readonly isError: boolean;
}

/** Reads the value of "# check=". `invalid` for other options. */
export function parseCheckOptions(text: string): CheckOptions {
  let skip: CheckOptions["skip"] = new Set();
  let experimental: CheckOptions["experimental"] = new Set();
  let isError = false;
  for (const part of text.trim() === "" ? [] : text.trim().split(";")) {
    const equals = part.indexOf("=");
    const key = (equals < 0 ? part : part.slice(0, equals)).trim();
    const value = part.slice(equals + 1).trim();
    if (equals < 0) throw new DockerfileFault(`invalid check option ${quote(part)}`);
    if (key === "skip") skip = parseRules(value);
    else if (key === "experimental") experimental = parseRules(value);
    else if (key === "error") isError = parseError(part, value);
    else throw new DockerfileFault(`invalid check option ${quote(key)}`);
  }
  return { skip, experimental, isError };
}

/** Whether the options let a check run. */
export function isEnabled(rule: RuleName, { skip, experimental }: CheckOptions): boolean {
  if (isExperimental(rule) && experimental !== "all" && !experimental.has(rule)) return false;
  return skip !== "all" && !skip.has(rule);
}

function parseRules(text: string): ReadonlySet<string> | "all" {
  return text === "all" ? text : new Set(text.split(",").map((name) => name.trim()));
}

function parseError(part: string, value: string): boolean {
  try {
    return parseBool(value);
  } catch (error) {
    const { message } = error as Error;
    throw new DockerfileFault(`failed to parse check option ${quote(part)}: ${message}`);
  }
}
