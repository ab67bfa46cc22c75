import { z } from "zod";
import { text } from "./schema-parts.ts";

const textMap = z.record(z.string(), z.string()).nullish();

/** The body of POST /volumes/create. */
export const volumeCreateSchema = z.looseObject({
  Name: text,
  Driver: text,
  DriverOpts: textMap,
  Labels: textMap,
  ClusterVolumeSpec: z.looseObject({}).nullish(),
});

export type VolumeCreateBody = z.infer<typeof volumeCreateSchema>;
