import { pairsShape } from "./scalars.ts";
import { embedded, flag, listOf, mapOf, maybeFlag, structure, text } from "./shape.ts";

const stringMap = pairsShape(mapOf(text));

/** A network. */
export const network = structure([
  ["name", text],
  ["driver", text],
  ["driver_opts", stringMap],
  [
    "ipam",
    embedded([
      ["driver", text],
      [
        "config",
        listOf(
          structure([
            ["subnet", text],
            ["gateway", text],
            ["ip_range", text],
            ["aux_addresses", stringMap],
          ]),
        ),
      ],
    ]),
  ],
  ["external", flag],
  ["internal", flag],
  ["attachable", flag],
  ["labels", stringMap],
  ["enable_ipv4", maybeFlag],
  ["enable_ipv6", maybeFlag],
]);

/** A volume. */
export const volume = structure([
  ["name", text],
  ["driver", text],
  ["driver_opts", stringMap],
  ["external", flag],
  ["labels", stringMap],
]);

/** A secret or a config. */
export const fileObject = structure([
  ["name", text],
  ["file", text],
  ["environment", text],
  ["content", text],
  ["external", flag],
  ["labels", stringMap],
  ["driver", text],
  ["driver_opts", stringMap],
  ["template_driver", text],
]);
