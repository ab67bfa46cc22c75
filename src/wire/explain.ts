import { z } from "zod";
import { epochSchema } from "./image-make.ts";
import { wireLimits } from "./limits.ts";

const count = (initial: number, max: number) =>
  z.coerce.number().int().min(1).max(max).default(initial);

/** The query of GET /thimble/v1/images/{name}/explain; with `path` the answer is about that path alone. */
export const explainQuerySchema = z.object({
  top: count(10, 10_000),
  depth: count(3, 64),
  layer: z.string().min(1).optional(),
  path: z.string().min(1).max(4095).optional(),
});

/** The query of GET /thimble/v1/images/{name}/diff: how image `to` differs from the one named. */
export const imageDiffQuerySchema = z.object({
  to: z.string().min(1),
  limit: count(1000, wireLimits.longList),
});

/** The query of POST /thimble/v1/images/{name}/squash; `epoch` is SOURCE_DATE_EPOCH. */
export const squashQuerySchema = z.object({
  from: z.string().min(1).optional(),
  reference: z.string().min(1).optional(),
  epoch: epochSchema,
});
