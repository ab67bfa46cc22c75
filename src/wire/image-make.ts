import { z } from "zod";
import { wireLimits } from "./limits.ts";

/** SOURCE_DATE_EPOCH: seconds since 1970, up to the year 9999. */
export const epochSchema = z.coerce.number().int().min(0).max(253_402_300_799).optional();

const names = z.array(z.string().min(1)).max(wireLimits.list);

/**
 * The query of POST /thimble/v1/images/make. `scratch` takes a tar of the files as its
 * body; `cmd` may repeat. `debootstrap` has no body; `include` may repeat.
 */
export const imageMakeSchema = z.discriminatedUnion("method", [
  z.object({
    method: z.literal("scratch"),
    reference: z.string().min(1),
    cmd: names.optional(),
    epoch: epochSchema,
  }),
  z.object({
    method: z.literal("debootstrap"),
    reference: z.string().min(1),
    suite: z.string().regex(/^[a-z0-9][a-z0-9.+-]*$/i),
    variant: z.enum(["minbase", "buildd", "-"]).default("minbase"),
    include: names.default([]),
    mirror: z.string().optional(),
    keyring: z.string().optional(),
  }),
]);

export type ImageMakeQuery = z.input<typeof imageMakeSchema>;
