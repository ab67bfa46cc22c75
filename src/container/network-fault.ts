import type { z } from "zod";
import { shapes } from "./option.ts";

const { number, texts, object } = shapes;

/** The body of POST /thimble/v1/containers/ID/network-fault; what is absent goes right. */
export const networkFaultSchema = object({
  /** Of the packets that the container sends, and of those that it gets. */
  LossPercent: number,
  DelayMs: number,
  /** Containers that it exchanges nothing with, by name or id. */
  Partition: texts,
});

export type NetworkFaultBody = z.infer<typeof networkFaultSchema>;
