import { z } from "zod";
import { wireLimits } from "./limits.ts";

/**
 * Docker's server reads JSON as Go does: a missing field and `null` both mean the
 * zero value, and unknown fields are of no account.
 */
export const text = z.string().nullish();
export const flag = z.boolean().nullish();
export const whole = z.int().nullish();
export const texts = z.array(z.string()).max(wireLimits.list).nullish();
export const longTexts = z.array(z.string()).max(wireLimits.longList).nullish();
export const textMap = z.record(z.string(), z.string()).nullish();
/** A set, as Go writes it: `{"80/tcp": {}}`. */
export const keySet = z.record(z.string(), z.unknown()).nullish();
/** One string or a list of them. */
export const argv = z.union([z.string(), z.array(z.string()).max(wireLimits.longList)]).nullish();

export function list<T extends z.ZodType>(item: T) {
  return z.array(item).max(wireLimits.list).nullish();
}
