import { z } from "zod";
import { flag, text } from "./schema-parts.ts";

const textMap = z.record(z.string(), z.string()).nullish();

/** The body of POST /networks/create. */
export const networkCreateSchema = z.object({
  Name: text,
  Driver: text,
  Scope: text,
  CheckDuplicate: flag,
  EnableIPv4: flag,
  EnableIPv6: flag,
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigOnly: flag,
  ConfigFrom: z.object({ Network: text }).nullish(),
  IPAM: z
    .object({
      Driver: text,
      Options: textMap,
      Config: z
        .array(
          z.object({
            Subnet: text,
            IPRange: text,
            Gateway: text,
            AuxiliaryAddresses: textMap,
          }),
        )
        .max(64)
        .nullish(),
    })
    .nullish(),
  Options: textMap,
  Labels: textMap,
});

export type NetworkCreateBody = z.infer<typeof networkCreateSchema>;

/** The body of POST /networks/ID/disconnect. */
export const networkDisconnectSchema = z.object({ Container: text, Force: flag });
