import { Fault } from "#base";

const yes = new Set(["true", "y", "yes", "on"]);
const no = new Set(["false", "n", "no", "off"]);

/** The boolean that a text means; `warn` is told of forms that YAML 1.2 does not have. */
export function toBoolean(text: string, warn?: (message: string) => void): boolean {
  const word = text.toLowerCase();
  if (!yes.has(word) && !no.has(word)) throw new Fault("invalid", `invalid boolean: ${text}`);
  const value = yes.has(word);
  if (word !== "true" && word !== "false") {
    warn?.(`"${text}" for boolean is not supported by YAML 1.2, please use \`${value}\``);
  }
  return value;
}

const syntaxFault = (what: string, text: string) =>
  new Fault("invalid", `strconv.${what}: parsing ${JSON.stringify(text)}: invalid syntax`);

/** A decimal integer, as Go's Atoi takes it. */
export function toInteger(text: string, what = "Atoi"): number {
  if (!/^[-+]?\d+$/.test(text)) throw syntaxFault(what, text);
  return Number(text);
}

/** A number, as Go's ParseFloat takes it. */
export function toFloat(text: string): number {
  if (!/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) throw syntaxFault("ParseFloat", text);
  return Number(text);
}
