import { parseBytes } from "#base";

/** A key of the configuration file: what is wrong with a value, or nothing. */
export type FileKey = (value: unknown) => string | undefined;

const isText = (value: unknown): value is string => typeof value === "string";

export const text: FileKey = (value) => (isText(value) && value !== "" ? undefined : "give a text");
export const bool: FileKey = (value) =>
  typeof value === "boolean" ? undefined : "give true or false, without quotes";
export const texts: FileKey = (value) =>
  Array.isArray(value) && value.every(isText) ? undefined : 'give a list of texts, as ["a", "b"]';

/** One of these texts. */
export const oneOf =
  (...words: readonly string[]): FileKey =>
  (value) =>
    isText(value) && words.includes(value) ? undefined : `use ${words.join(", ")}`;

/** A whole number from `least` on. */
export const whole =
  (least: number): FileKey =>
  (value) =>
    Number.isSafeInteger(value) && Number(value) >= least
      ? undefined
      : `give a whole number from ${least} on, without quotes`;

/** "64M", or a number of bytes. */
export const size: FileKey = (value) =>
  (isText(value) ? (parseBytes(value) ?? 0) > 0 : whole(1)(value) === undefined)
    ? undefined
    : 'give a size, as "64M"';

/** Texts by name. */
export const textMap: FileKey = (value) =>
  isMap(value) && Object.values(value).every(isText)
    ? undefined
    : 'give texts by name, as {"max-size": "10m"}; numbers and booleans go between quotes';

/** Objects by name or in a list, of which each is judged. */
export const each =
  (form: string, isRight: (item: Readonly<Record<string, unknown>>) => boolean): FileKey =>
  (value) => {
    const items = Array.isArray(value) ? value : isMap(value) ? Object.values(value) : undefined;
    return items?.every((item) => isMap(item) && isRight(item)) ? undefined : `give it as ${form}`;
  };

/** A setting that has one value here, whatever a file says. */
export const fixed =
  (why: string, ...allowed: readonly unknown[]): FileKey =>
  (value) =>
    allowed.some((one) => JSON.stringify(one) === JSON.stringify(value)) ? undefined : why;

/** A JSON object. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
