import { z } from "zod";
import { wireLimits } from "./limits.ts";

/**
 * Docker's server reads JSON as Go does: a missing field and `null` both mean the
 * zero value, and unknown fields are of no account.
 */
export const text = z.string().nullish();
export const flag = z.boolean().nullish();
export const longTexts = z.array(z.string()).max(wireLimits.longList).nullish();
/** One string or a list of them. */
export const argv = z.union([z.string(), z.array(z.string()).max(wireLimits.longList)]).nullish();
